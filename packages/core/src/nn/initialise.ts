import type { RandomStream } from '../random.js';

/**
 * A matrix with orthonormal rows or columns, whichever are fewer, times a gain (Saxe et al. 2014, arXiv:1312.6120): normal
 * numbers made orthogonal by the modified Gram-Schmidt process.
 *
 * @returns [rows, columns], row by row
 */
export function orthogonal(rows: number, columns: number, gain: number, random: RandomStream): Float32Array {
  const [count, length] = rows <= columns ? [rows, columns] : [columns, rows];
  const vectors = Array.from({ length: count }, () => Float64Array.from({ length }, () => random.normal()));
  vectors.forEach((vector, i) => {
    for (const earlier of vectors.slice(0, i)) {
      const along = earlier.reduce((sum, x, j) => sum + x * vector[j], 0);
      for (let j = 0; j < length; j++) vector[j] -= along * earlier[j];
    }
    const norm = Math.hypot(...vector);
    for (let j = 0; j < length; j++) vector[j] /= norm;
  });
  const matrix = new Float32Array(rows * columns);
  for (let r = 0; r < rows; r++)
    for (let c = 0; c < columns; c++)
      matrix[r * columns + c] = gain * (rows <= columns ? vectors[r][c] : vectors[c][r]);
  return matrix;
}

/**
 * Uniform numbers in ±1/√inputs, for weights and biases of a layer (what PyTorch's nn.Linear starts with; LeCun et al. 1998,
 * "Efficient BackProp").
 *
 * @returns [size]
 */
export function fanInUniform(inputs: number, size: number, random: RandomStream): Float32Array {
  const bound = 1 / Math.sqrt(inputs);
  return Float32Array.from({ length: size }, () => bound * (2 * random.uniform() - 1));
}
