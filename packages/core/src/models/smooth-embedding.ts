import type { RandomStream } from '../random.js';

/** Standard deviation of the entries. */
const STANDARD_DEVIATION = 0.05;
/** Width of the smoothing kernel as a share of the vocabulary. */
const KERNEL_SHARE = 1 / 32;

/**
 * Initial embedding of tokens that stand on a line: white noise smoothed along the bins by a Gaussian, rescaled. Neighbours
 * start alike, so that what is learnt about one value holds at once for the values beside it.
 *
 * @param vocabulary - V
 * @param width - D
 * @returns [V, D], row by row
 */
export function smoothEmbedding(vocabulary: number, width: number, random: RandomStream): Float32Array {
  const sigma = Math.max(0.5, vocabulary * KERNEL_SHARE);
  const reach = Math.ceil(3 * sigma);
  const padded = vocabulary + 2 * reach;
  const noise = random.normals(padded * width);
  const kernel = Array.from({ length: 2 * reach + 1 }, (_, i) => Math.exp(-0.5 * ((i - reach) / sigma) ** 2));
  const norm = STANDARD_DEVIATION / Math.sqrt(kernel.reduce((sum, k) => sum + k * k, 0));
  const table = new Float32Array(vocabulary * width);
  for (let v = 0; v < vocabulary; v++) {
    for (let d = 0; d < width; d++) {
      let sum = 0;
      for (let i = 0; i < kernel.length; i++) sum += kernel[i] * noise[(v + i) * width + d];
      table[v * width + d] = sum * norm;
    }
  }
  return table;
}
