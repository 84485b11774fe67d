import { ConfigError } from '../errors.js';
import type { Policy } from '../policy.js';
import { compile, tf, type CompiledFunction } from '../tf.js';
import type { ReferenceScores, Rollout } from './rollout.js';
import { refuseSharedWeights } from './shared-weights.js';

/**
 * What a frozen policy says about the steps of a rollout, and how far the policy that took them is from it. To be asked
 * before that policy is changed. It owns neither; scoring leaves no tensor behind, `dispose` frees what was compiled.
 */
export class StepReferenceScorer {
  private readonly pass: CompiledFunction<tf.Tensor[], Record<keyof ReferenceScores, tf.Tensor>>;

  /** @throws {NumericalError} when policy and reference share weights */
  constructor(policy: Policy, referencePolicy: Policy) {
    refuseSharedWeights(policy, referencePolicy);
    this.pass = compile((observations, actions) => {
      const rows = { observations, actions };
      const reference = referencePolicy.scoreRows(rows);
      const { klTo } = policy.scoreRows(rows);
      if (!klTo || !reference.distribution) {
        throw new ConfigError(
          'The KL to a reference needs policies that know it in closed form: scoreRows must give distribution and klTo. Leave the reference out.',
        );
      }
      const distribution = reference.distribution();
      return { logProbs: reference.logProbs, distribution, exactKl: klTo(distribution) };
    });
  }

  /**
   * @param rollout - of a step environment
   * @throws {ConfigError} when a policy has no KL in closed form
   */
  score({ batchSize, steps, actions, inputs }: Rollout): ReferenceScores {
    const rows = batchSize * steps;
    const { observations } = inputs as { observations: Float32Array };
    const scores = tf.tidy(() => {
      const width = actions.length / rows;
      const shape = [rows, 1, ...(width > 1 ? [width] : [])];
      return this.pass(
        tf.tensor2d(observations, [rows, observations.length / rows]),
        tf.tensor(actions, shape, actions instanceof Int32Array ? 'int32' : 'float32'),
      );
    });
    const read = (scored: tf.Tensor): Float32Array => (scored.dataSync() as Float32Array).slice();
    const { logProbs, distribution, exactKl } = scores;
    const result = {
      logProbs: read(logProbs),
      distribution: read(distribution),
      exactKl: read(exactKl),
    };
    tf.dispose(scores);
    return result;
  }

  dispose(): void {
    this.pass.dispose();
  }
}
