import type { SequenceBatch } from '../environment.js';
import { exactKl } from '../math/kl.js';
import type { Generation, SequencePolicy } from '../policy.js';
import { compile, readValues, tensorOver, tf, type CompiledFunction } from '../tf.js';
import type { ReferenceScores } from './rollout.js';

/**
 * What the frozen policy says about generated tokens; parts of the rows go on several threads at once. It does not own the policy;
 * `dispose` frees what was compiled. Scoring leaves no tensor behind.
 */
export class SequenceReferenceScorer {
  private readonly pass: CompiledFunction<tf.Tensor[], Record<keyof ReferenceScores, tf.Tensor>>;

  /** @param reference - frozen, over the same tokens */
  constructor(private readonly reference: SequencePolicy) {
    this.pass = compile((contexts: tf.Tensor, actions: tf.Tensor, logDistribution: tf.Tensor) => {
      const scores = reference.score(contexts as tf.Tensor2D, actions as tf.Tensor2D);
      return {
        logProbs: scores.logProbs,
        distribution: scores.logDistribution,
        exactKl: exactKl(logDistribution as tf.Tensor3D, scores.logDistribution),
      };
    });
  }

  /**
   * Scores of one batch of B rows, L steps each.
   *
   * @param generation - what was generated, with `logDistribution`
   * @param horizon - L
   */
  score(
    { size, contextTokens }: SequenceBatch,
    { tokens, logDistribution }: Generation,
    horizon: number,
  ): ReferenceScores {
    const { vocabularySize } = this.reference;
    const context = contextTokens.length / size;
    const rows = this.reference.rowsPerPass?.(context + horizon) ?? size;
    const scores = {
      logProbs: new Float32Array(size * horizon),
      distribution: new Float32Array(size * horizon * vocabularySize),
      exactKl: new Float32Array(size * horizon),
    };
    const starts = Array.from({ length: Math.ceil(size / rows) }, (_, i) => i * rows);
    const part = <A extends Float32Array | Int32Array>(all: A, start: number): A => {
      const width = all.length / size;
      return all.subarray(start * width, Math.min(size, start + rows) * width) as A;
    };
    const results = tf.tidy(() =>
      this.pass.map(
        starts.map((start) => {
          const count = Math.min(rows, size - start);
          return [
            tensorOver(part(contextTokens, start), [count, context]),
            tensorOver(part(tokens, start), [count, horizon]),
            tensorOver(part(logDistribution!, start), [count, horizon, vocabularySize]),
          ];
        }),
      ),
    );
    results.forEach((result, i) => {
      for (const name of ['logProbs', 'distribution', 'exactKl'] as const)
        readValues(result[name], (values) => part(scores[name], starts[i]).set(values));
      tf.dispose(result);
    });
    return scores;
  }

  /** Frees what was compiled; the policy stays. */
  dispose(): void {
    this.pass.dispose();
  }
}
