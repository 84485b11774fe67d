import { beforeAll, describe, expect, jest, test } from '@jest/globals';

import {
  ConfigError,
  DegradationTransformer,
  EnvironmentError,
  MlpPolicy,
  box,
  discrete,
  playEpisodes,
  playSequences,
  vectorise,
  type Environment,
  type SequenceReward,
} from '@rollcast/core';

import { useBackend } from '../../support/backends.js';
import { recordingPolicy } from '../../support/recording-policy.js';
import { RepeatEnvironment } from '../../support/repeat-environment.js';
import { expectNoTensorLeft } from '../../support/tensors.js';
import { VarietyEnvironment } from '../../support/variety-environment.js';

beforeAll(() => useBackend('cpu'));

/** Ends after a number of steps; the reward is the action, the observation the seed of the episode in (0, 1). */
class Countdown implements Environment {
  readonly name = 'countdown';
  readonly observationSpace = box(0, 1, [1]);
  readonly actionSpace = discrete(2);
  private left = 0;
  private observation = [0];

  constructor(private readonly length: number) {}

  reset(seed: number): number[] {
    this.left = this.length;
    return (this.observation = [seed / Number.MAX_SAFE_INTEGER]);
  }

  step(action: unknown) {
    this.left -= 1;
    return {
      observation: this.observation,
      reward: Number(action),
      terminated: this.left === 0,
      truncated: false,
    };
  }
}

/** One instance for each length. */
const countdowns = (...lengths: number[]) => {
  const waiting = [...lengths];
  return vectorise(() => new Countdown(waiting.shift()!), { count: lengths.length });
};
const policy = (): MlpPolicy => new MlpPolicy(1, discrete(2), { hidden: [4] }, 1);

describe('episodes of steps', () => {
  test('each instance plays its share, however short its episodes are', async () => {
    const environment = await countdowns(1, 10);
    const played = playEpisodes({ environment, policy: policy(), episodes: 5, seed: 0, greedy: false });
    expect(played.map(({ instance, length }) => [instance, length])).toEqual([
      [0, 1],
      [0, 1],
      [0, 1],
      [1, 10],
      [1, 10],
    ]);
  });

  test('more instances than episodes: those left over play none', async () => {
    const environment = await countdowns(3, 1, 1, 1);
    const played = playEpisodes({ environment, policy: policy(), episodes: 2, seed: 0, greedy: false });
    expect(played.map(({ instance, length }) => [instance, length])).toEqual([
      [0, 3],
      [1, 1],
    ]);
  });

  test('draws are kept for as many steps as the policy says, and for no longer than a rollout', async () => {
    const usedIn = async (stepsPerDraw: number, stepsPerRollout?: number): Promise<number[]> => {
      const { recording, used } = recordingPolicy(policy(), stepsPerDraw);
      const environment = await countdowns(6);
      playEpisodes({ environment, policy: recording, stepsPerRollout, episodes: 1, seed: 0, greedy: false });
      const distinct = [...new Set(used)];
      return used.map((draws) => distinct.indexOf(draws));
    };
    expect(await usedIn(1)).toEqual([0, 1, 2, 3, 4, 5]);
    expect(await usedIn(Infinity)).toEqual([0, 0, 0, 0, 0, 0]);
    expect(await usedIn(Infinity, 4)).toEqual([0, 0, 0, 0, 1, 1]);
    expect(await usedIn(2, 3)).toEqual([0, 0, 1, 2, 2, 3]);
  });

  test('greedy takes the most likely action every time, sampled draws it', async () => {
    const environment = await countdowns(1000);
    const biased = policy();
    const weights = biased.parameters.save();
    weights['policy.1.bias'].data.set([0, Math.log(3)]); // action 1 three times of four
    weights['policy.1.weight'].data.fill(0);
    biased.parameters.load(weights);
    const play = (greedy: boolean): number =>
      playEpisodes({ environment, policy: biased, episodes: 1, seed: 3, greedy })[0].return;
    expect(play(true)).toBe(1000);
    // four standard errors of a share of ¾ of 1000
    expect(play(false) / 1000).toBeAllClose(0.75, { atol: 4 * Math.sqrt(0.1875 / 1000) });
  });

  test('the same seed plays the same, and what it plays is new to a training of that seed', async () => {
    const environment = await countdowns(6, 6);
    const acting = policy();
    const play = (seed: number) =>
      playEpisodes({ environment, policy: acting, episodes: 8, seed, greedy: false }).map((e) => e.return);
    expect(play(1)).toEqual(play(1));
    expect(play(2)).not.toEqual(play(1));
    const reset = jest.spyOn(environment, 'reset');
    play(1);
    expect(reset).toHaveBeenCalledTimes(1);
    expect(reset).not.toHaveBeenCalledWith(1);
  });

  test('progress counts what is wanted, and no tensor is left', async () => {
    const environment = await countdowns(1, 4);
    const acting = policy();
    const told: number[] = [];
    expectNoTensorLeft(() =>
      playEpisodes({
        environment,
        policy: acting,
        episodes: 4,
        seed: 0,
        greedy: true,
        onProgress: (done) => told.push(done),
      }),
    );
    expect(told).toEqual([1, 2, 3, 4]);
  });
});

describe('sequences', () => {
  const model = (): DegradationTransformer =>
    new DegradationTransformer({ vocabularySize: 6, width: 8, layers: 1, heads: 2 });

  test.each([true, false])('the return is the sum of the rewards, greedy or not (%p)', (greedy) => {
    const environment = new RepeatEnvironment();
    const seen: { contexts: Int32Array; tokens: Int32Array }[] = [];
    const watched = Object.assign(new RepeatEnvironment(), {
      reward: (batch: { size: number; contextTokens: Int32Array }, tokens: Int32Array) => {
        seen.push({ contexts: batch.contextTokens, tokens });
        return environment.reward(batch, tokens);
      },
    });
    const acting = model();
    const { returns, components } = expectNoTensorLeft(() =>
      playSequences({ environment: watched, policy: acting, episodes: 7, seed: 1, greedy }),
    );
    const [{ contexts, tokens }] = seen;
    const { totals } = environment.reward({ size: 7, contextTokens: contexts }, tokens).components;
    expect(returns).toEqual([...totals]);
    expect(components['totals']).toBeAllClose(returns.reduce((a, b) => a + b) / 7, { atol: 1e-6 });
    expect(components['hits']).toBeAllClose(components['totals'] / 4, { atol: 1e-6 });
    const again = acting.generate({ contextTokens: contexts, batchSize: 7, horizon: 4 }).tokens;
    if (greedy) expect(tokens).toEqual(again);
    else expect(tokens).not.toEqual(again);
  });

  test('greedy and sampled continue the same contexts, more than one batch of them', () => {
    const contexts: Record<string, number[]> = { true: [], false: [] };
    for (const greedy of [true, false]) {
      const environment = new RepeatEnvironment();
      const sample = jest.spyOn(environment, 'sample');
      const play = { environment, policy: model(), episodes: 300, seed: 1, greedy };
      expect(playSequences(play).returns).toHaveLength(300);
      for (const { value } of sample.mock.results)
        contexts[String(greedy)].push(...(value as { contextTokens: Int32Array }).contextTokens);
    }
    expect(contexts['true']).toHaveLength(3 * 300);
    expect(contexts['true']).toEqual(contexts['false']);
  });

  test('a reward that compares the sequences of a context gets as many as it needs', () => {
    const environment = new VarietyEnvironment();
    const reward = jest.spyOn(environment, 'reward');
    const acting = new DegradationTransformer({ vocabularySize: 4, width: 8, layers: 1, heads: 2 });
    const play = { environment, policy: acting, episodes: 5, seed: 1 };
    const { returns } = playSequences({ ...play, greedy: false });
    const [[{ size, draws }]] = reward.mock.calls;
    expect([size, new Set(draws).size]).toEqual([6, 3]); // 5 sequences are those of 3 contexts but one
    expect(returns).toEqual([...(reward.mock.results[0].value as SequenceReward).reward].slice(0, 5));
    // the greedy sequences of a context are one sequence twice
    expect(playSequences({ ...play, greedy: true }).returns).toEqual([0, 0, 0, 0, 0]);
  });

  test('an environment that breaks its contract is named', () => {
    const environment = Object.assign(new RepeatEnvironment(), {
      reward: () => ({ reward: Float32Array.of(NaN), components: {} }),
    });
    const play = () => playSequences({ environment, policy: model(), episodes: 1, seed: 1, greedy: true });
    expect(play).toThrow(EnvironmentError);
    expect(play).toThrow('The reward of the environment "repeat" must be finite; got NaN');
  });
});

test('a number of episodes that is none is refused', async () => {
  const environment = await countdowns(1);
  for (const episodes of [0, 1.5, NaN]) {
    const play = () => playEpisodes({ environment, policy: policy(), episodes, seed: 0, greedy: true });
    expect(play).toThrow(ConfigError);
    expect(play).toThrow(`episodes is an integer ≥ 1; got ${episodes}.`);
  }
});
