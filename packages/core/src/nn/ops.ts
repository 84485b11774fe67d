/**
 * The layers of a transformer as plain functions on matrices, each with its gradient written out.
 *
 * The gradients are written out because tfjs's own would multiply transposed or batched matrices, which its WebAssembly
 * kernels do an order of magnitude slower (2 against 25 GFLOP/s) than plain ones; here every product with a weight is a
 * plain product of two matrices.
 */
import { tf } from '../tf.js';

type Gradient = {
  value: tf.Tensor;
  gradFunc: (dy: tf.Tensor, saved: tf.Tensor[]) => tf.Tensor | tf.Tensor[];
};

/** The sum over rows as a product with a row of ones: [N, D] → [D]. */
function sumRows(x: tf.Tensor2D): tf.Tensor1D {
  return tf.matMul(tf.ones([1, x.shape[0]]), x).reshape([x.shape[1]]);
}

/**
 * Affine map of every row: y = x W + b.
 *
 * @param x - [N, I]
 * @param weight - [I, O]
 * @param bias - [O]
 * @returns [N, O]; the caller disposes it
 */
export function linear(x: tf.Tensor2D, weight: tf.Tensor2D, bias: tf.Tensor1D): tf.Tensor2D {
  const operation = tf.customGrad((...args: (tf.Tensor | tf.GradSaveFunc)[]): Gradient => {
    const [input, w, b, save] = args as [tf.Tensor2D, tf.Tensor2D, tf.Tensor1D, tf.GradSaveFunc];
    save([input, w]);
    return {
      value: tf.add(tf.matMul(input, w), b),
      gradFunc: (dy, [inputSaved, wSaved]) => [
        tf.matMul(dy, tf.transpose(wSaved as tf.Tensor2D)),
        tf.matMul(tf.transpose(inputSaved as tf.Tensor2D), dy),
        sumRows(dy as tf.Tensor2D),
      ],
    };
  });
  return operation(x, weight, bias) as tf.Tensor2D;
}

/**
 * Rows of a table by index, as a product with one-hot rows, so that the gradient is a plain product too.
 *
 * @param ids - [N] int32 in [0, V)
 * @param table - [V, D]
 * @returns [N, D]; the caller disposes it
 */
export function embed(ids: tf.Tensor1D, table: tf.Tensor2D): tf.Tensor2D {
  const operation = tf.customGrad((...args: (tf.Tensor | tf.GradSaveFunc)[]): Gradient => {
    const [t, save] = args as [tf.Tensor2D, tf.GradSaveFunc];
    const oneHot = oneHotRows(ids, t.shape[0]);
    save([oneHot]);
    return {
      value: tf.matMul(oneHot, t),
      gradFunc: (dy, [oneHotSaved]) => tf.matMul(tf.transpose(oneHotSaved as tf.Tensor2D), dy),
    };
  });
  return operation(table) as tf.Tensor2D;
}

/**
 * Layer normalisation (Ba et al. 2016, arXiv:1607.06450) of every row: gain · (x − mean) / √(var + ε) + bias.
 *
 * @param x - [N, D]
 * @param gain - [D]
 * @param bias - [D]
 * @returns [N, D]; the caller disposes it
 */
export function layerNorm(x: tf.Tensor2D, gain: tf.Tensor1D, bias: tf.Tensor1D, epsilon = 1e-5): tf.Tensor2D {
  const operation = tf.customGrad((...args: (tf.Tensor | tf.GradSaveFunc)[]): Gradient => {
    const [input, g, b, save] = args as [tf.Tensor2D, tf.Tensor1D, tf.Tensor1D, tf.GradSaveFunc];
    const centred = tf.sub(input, tf.mean(input, 1, true));
    const inverse = tf.rsqrt(tf.add(tf.mean(tf.square(centred), 1, true), epsilon));
    const normal = tf.mul<tf.Tensor2D>(centred, inverse);
    save([normal, inverse, g]);
    return {
      value: tf.add(tf.mul(normal, g), b),
      gradFunc: (dy, [normalSaved, inverseSaved, gSaved]) => {
        const dNormal = tf.mul(dy, gSaved);
        const along = tf.mul(normalSaved, tf.mean(tf.mul(dNormal, normalSaved), 1, true));
        const dx = tf.mul(inverseSaved, tf.sub(tf.sub(dNormal, tf.mean(dNormal, 1, true)), along));
        return [dx, sumRows(tf.mul<tf.Tensor2D>(dy, normalSaved)), sumRows(dy as tf.Tensor2D)];
      },
    };
  });
  return operation(x, gain, bias) as tf.Tensor2D;
}

/** The constant of the sigmoid form of GELU. */
const GELU_SLOPE = 1.702;

/**
 * GELU in its sigmoid form, x · σ(1.702 x) (Hendrycks and Gimpel 2016, section 2, arXiv:1606.08415).
 *
 * @returns the shape of `x`; the caller disposes it
 */
export function gelu(x: tf.Tensor2D): tf.Tensor2D {
  const operation = tf.customGrad((...args: (tf.Tensor | tf.GradSaveFunc)[]): Gradient => {
    const [input, save] = args as [tf.Tensor2D, tf.GradSaveFunc];
    const gate = tf.sigmoid(tf.mul(input, GELU_SLOPE));
    const value = tf.mul(input, gate);
    save([gate, value]);
    return {
      value,
      // d(xσ)/dx = σ + 1.702 · xσ · (1 − σ)
      gradFunc: (dy, [gateSaved, valueSaved]) =>
        tf.mul(dy, tf.add(gateSaved, tf.mul(tf.mul(valueSaved, GELU_SLOPE), tf.sub(1, gateSaved)))),
    };
  });
  return operation(x) as tf.Tensor2D;
}

/**
 * One-hot rows as float32. The cast is explicit because tfjs's WebAssembly kernel writes integer bits when asked for
 * float32 itself.
 *
 * @param ids - [N] int32 in [0, V)
 * @returns [N, V]; the caller disposes it
 */
export function oneHotRows(ids: tf.Tensor1D, vocabulary: number): tf.Tensor2D {
  return tf.tidy(() => tf.cast(tf.oneHot(ids, vocabulary), 'float32') as tf.Tensor2D);
}
