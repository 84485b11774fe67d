/**
 * The layers of a transformer as plain functions on matrices, each with its gradient written out.
 *
 * The gradients are written out because tfjs's own would multiply transposed or batched matrices, which its WebAssembly
 * kernels do an order of magnitude slower (2 against 25 GFLOP/s) than plain ones, and would move more memory; here every
 * product with a weight is a plain product of two matrices.
 */
import { tf } from '../tf.js';
import { fusedKernel } from './fused-kernels.js';

type Gradient = {
  value: tf.Tensor;
  gradFunc: (dy: tf.Tensor, saved: tf.Tensor[]) => tf.Tensor | tf.Tensor[];
};

/** The sum over rows as a product with a row of ones: [N, D] → [D]. */
function sumRows(x: tf.Tensor2D): tf.Tensor1D {
  return tf.matMul(tf.ones([1, x.shape[0]]), x).reshape([x.shape[1]]);
}

/** Tensors one after the other as one vector; the caller disposes it. */
export function flat(tensors: readonly tf.Tensor[]): tf.Tensor1D {
  return tf.tidy(() => tf.concat1d(tensors.map((tensor) => tf.reshape(tensor, [-1]))));
}

/** xᵀ y by turning the narrower of the two: [N, I], [N, O] → [I, O]. */
function transposedProduct(x: tf.Tensor2D, y: tf.Tensor2D): tf.Tensor2D {
  return x.shape[1] <= y.shape[1]
    ? tf.matMul(tf.transpose(x), y)
    : tf.transpose(tf.matMul(tf.transpose(y), x));
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
        transposedProduct(inputSaved as tf.Tensor2D, dy as tf.Tensor2D),
        sumRows(dy as tf.Tensor2D),
      ],
    };
  });
  return operation(x, weight, bias) as tf.Tensor2D;
}

/**
 * Rows of a table by index.
 *
 * @param ids - [N] int32 in [0, V)
 * @param table - [V, D]
 * @returns [N, D]; the caller disposes it
 */
export function embed(ids: tf.Tensor1D, table: tf.Tensor2D): tf.Tensor2D {
  const operation = tf.customGrad((...args: (tf.Tensor | tf.GradSaveFunc)[]): Gradient => {
    const [t, save] = args as [tf.Tensor2D, tf.GradSaveFunc];
    const { shape } = t;
    const places = tf.reshape(ids, [ids.shape[0], 1]);
    save([places]);
    return {
      value: tf.gather(t, ids),
      gradFunc: (dy, [placesSaved]) => tf.scatterND(placesSaved, dy, shape),
    };
  });
  return operation(table) as tf.Tensor2D;
}

/**
 * One entry of every row.
 *
 * @param x - [N, V]
 * @param columns - [N] int32 in [0, V), which entry
 * @returns [N]; the caller disposes it
 */
export function takeColumns(x: tf.Tensor2D, columns: tf.Tensor1D): tf.Tensor1D {
  const operation = tf.customGrad((...args: (tf.Tensor | tf.GradSaveFunc)[]): Gradient => {
    const [input, save] = args as [tf.Tensor2D, tf.GradSaveFunc];
    const { shape } = input;
    const places = tf.stack([tf.range(0, shape[0], 1, 'int32'), columns], 1);
    save([places]);
    return {
      value: fusedKernel('TakeColumns', { x: input, columns })?.[0] ?? tf.gatherND(input, places),
      gradFunc: (dy, [placesSaved]) => tf.scatterND(placesSaved, dy, shape),
    };
  });
  return operation(x) as tf.Tensor1D;
}

/** (x − mean) / √(var + ε) of every row, and 1 / √(var + ε), [N, 1]. */
function standardise(x: tf.Tensor2D, epsilon: number): [normal: tf.Tensor2D, inverse: tf.Tensor2D] {
  const fused = fusedKernel('Standardise', { x }, { epsilon });
  if (fused) return fused as [tf.Tensor2D, tf.Tensor2D];
  const centred = tf.sub(x, tf.mean(x, 1, true));
  const inverse = tf.rsqrt(tf.add(tf.mean(tf.square(centred), 1, true), epsilon));
  return [tf.mul<tf.Tensor2D>(centred, inverse), inverse as tf.Tensor2D];
}

/**
 * Layer normalisation (Ba et al. 2016, arXiv:1607.06450) of every row without gain and bias, which belong to the affine map
 * that follows (see `foldNorm`): (x − mean) / √(var + ε).
 *
 * @param x - [N, D]
 * @returns [N, D]; the caller disposes it
 */
export function normalise(x: tf.Tensor2D, epsilon = 1e-5): tf.Tensor2D {
  const operation = tf.customGrad((...args: (tf.Tensor | tf.GradSaveFunc)[]): Gradient => {
    const [input, save] = args as [tf.Tensor2D, tf.GradSaveFunc];
    const [normal, inverse] = standardise(input, epsilon);
    save([normal, inverse]);
    return {
      value: normal,
      gradFunc: (dy, [normalSaved, inverseSaved]) => {
        const along = tf.mul(normalSaved, tf.mean(tf.mul(dy, normalSaved), 1, true));
        return tf.mul(inverseSaved, tf.sub(tf.sub(dy, tf.mean(dy, 1, true)), along));
      },
    };
  });
  return operation(x) as tf.Tensor2D;
}

/**
 * Logarithm of the softmax of every row.
 *
 * @param logits - [N, V]
 * @returns [N, V]; the caller disposes it
 */
export function logSoftmax(logits: tf.Tensor2D): tf.Tensor2D {
  const operation = tf.customGrad((...args: (tf.Tensor | tf.GradSaveFunc)[]): Gradient => {
    const [input, save] = args as [tf.Tensor2D, tf.GradSaveFunc];
    const value = fusedKernel('LogSoftmax', { logits: input }, { axis: -1 })?.[0] ?? tf.logSoftmax(input);
    save([value]);
    return {
      value,
      gradFunc: (dy, [logProbs]) => tf.sub(dy, tf.mul(tf.exp(logProbs), tf.sum(dy, 1, true))),
    };
  });
  return operation(logits) as tf.Tensor2D;
}

/**
 * The same numbers as a constant: no gradient flows through them.
 *
 * @returns the shape of `x`; the caller disposes it
 */
export function stopGradient<T extends tf.Tensor>(x: T): T {
  const operation = tf.customGrad((...args: (tf.Tensor | tf.GradSaveFunc)[]): Gradient => ({
    value: tf.clone(args[0] as tf.Tensor),
    gradFunc: (dy) => tf.zerosLike(dy),
  }));
  return operation(x) as T;
}

/** Weights of an affine map. */
export interface Affine {
  /** [I, O] */
  readonly weight: tf.Tensor2D;
  /** [O] */
  readonly bias: tf.Tensor1D;
}

/**
 * The affine map of normalised rows that equals gain and bias of a layer normalisation followed by another affine map:
 * (g ∘ x + c) W + b = x (diag(g) W) + (c W + b). It is work on weights instead of on rows, and gradients flow through it.
 *
 * @param gain - [I], g
 * @param shift - [I], c
 * @returns two tensors; the caller disposes them
 */
export function foldNorm(gain: tf.Tensor1D, shift: tf.Tensor1D, { weight, bias }: Affine): Affine {
  const inputs = weight.shape[0];
  return {
    weight: tf.mul<tf.Tensor2D>(tf.reshape(gain, [inputs, 1]), weight),
    bias: tf.add<tf.Tensor1D>(bias, tf.reshape(tf.matMul(tf.reshape(shift, [1, inputs]), weight), [-1])),
  };
}

/**
 * SiLU, x · σ(x) (Elfwing et al. 2018, arXiv:1702.03118).
 *
 * @returns the shape of `x`; the caller disposes it
 */
export function silu(x: tf.Tensor2D): tf.Tensor2D {
  const operation = tf.customGrad((...args: (tf.Tensor | tf.GradSaveFunc)[]): Gradient => {
    const [input, save] = args as [tf.Tensor2D, tf.GradSaveFunc];
    const gate = tf.sigmoid(input);
    const value = tf.mul(input, gate);
    save([gate, value]);
    return {
      value,
      // d(xσ)/dx = σ + xσ − xσ · σ
      gradFunc: (dy, [gateSaved, valueSaved]) =>
        tf.mul(dy, tf.add(gateSaved, tf.sub(valueSaved, tf.mul(valueSaved, gateSaved)))),
    };
  });
  return operation(x) as tf.Tensor2D;
}
