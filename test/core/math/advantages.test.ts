import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';

import {
  RandomStream,
  ShapeError,
  generalisedAdvantages,
  maskedMoments,
  nStepAdvantages,
  normaliseAdvantages,
  rewardsToGo,
  wholeReturns,
  type RewardSteps,
} from '@rollcast/core';

/** One trajectory of real steps that ends in its last one. */
function episode(rewards: number[], changes: Partial<RewardSteps> = {}): RewardSteps {
  const zeros = rewards.map(() => 0);
  return {
    batchSize: 1,
    steps: rewards.length,
    rewards,
    terminated: zeros.map((_, t) => (t === rewards.length - 1 ? 1 : 0)),
    truncated: zeros,
    bootstrapValues: zeros,
    mask: zeros.map(() => 1),
    ...changes,
  };
}

/** Rows of real steps, ends and cuts anywhere, padding anywhere; every real row end is an end or a cut. */
function randomSteps(
  batchSize: number,
  steps: number,
  seed: number,
): { data: RewardSteps; values: number[] } {
  const random = new RandomStream(seed, 'steps');
  const size = batchSize * steps;
  const draw = <T>(f: () => T): T[] => Array.from({ length: size }, f);
  const chance = (p: number) => (): number => (random.uniform() < p ? 1 : 0);
  const mask = draw(chance(0.8));
  const terminated = draw(chance(0.2));
  const truncated = draw(chance(0.2));
  for (let b = 0; b < batchSize; b++) {
    for (let i = (b + 1) * steps - 1; i >= b * steps; i--) {
      if (!mask[i]) continue;
      if (!terminated[i]) truncated[i] = 1;
      break;
    }
  }
  const normal = (): number => random.normal();
  return {
    data: {
      batchSize,
      steps,
      rewards: draw(normal),
      terminated,
      truncated,
      bootstrapValues: draw(normal),
      mask,
    },
    values: draw(normal),
  };
}

/** Every advantage as its own sum over the steps that follow, straight from the definition; γ and λ as given. */
function byDoubleLoop({ data, values }: ReturnType<typeof randomSteps>, gamma: number, lambda: number) {
  const { batchSize, steps, rewards, terminated, truncated, bootstrapValues, mask } = data;
  const size = batchSize * steps;
  const advantages = new Array<number>(size).fill(0);
  const returns = new Array<number>(size).fill(0);
  for (let b = 0; b < batchSize; b++) {
    const real = Array.from({ length: steps }, (_, t) => b * steps + t).filter((i) => mask[i]);
    const next = (n: number): number => {
      const i = real[n];
      if (terminated[i]) return 0;
      return truncated[i] ? bootstrapValues[i] : values[real[n + 1]];
    };
    for (let n = 0; n < real.length; n++) {
      for (let m = n; m < real.length; m++) {
        const i = real[m];
        const ends = terminated[i] || truncated[i];
        advantages[real[n]] += (gamma * lambda) ** (m - n) * (rewards[i] + gamma * next(m) - values[i]);
        returns[real[n]] += gamma ** (m - n) * (rewards[i] + (ends ? gamma * next(m) : 0));
        if (ends) break;
      }
    }
  }
  return { advantages, returns };
}

const shapes = fc.record({
  batchSize: fc.integer({ min: 1, max: 4 }),
  steps: fc.integer({ min: 1, max: 9 }),
  seed: fc.nat(1e6),
  gamma: fc.constantFrom(0, 0.5, 0.9, 1),
  lambda: fc.constantFrom(0, 0.3, 0.95, 1),
});

describe('rewards-to-go', () => {
  test('are discounted sums of what follows', () => {
    // 3; 2 + .5·3 = 3.5; 1 + .5·3.5 = 2.75
    expect(rewardsToGo(episode([1, 2, 3]), 0.5)).toBeAllClose([2.75, 3.5, 3]);
  });

  test('a truncated episode bootstraps: r = 1, γ = .9, V = 10 gives 10, not 9.1', () => {
    const cut = { terminated: [0], truncated: [1], bootstrapValues: [10] };
    expect(rewardsToGo(episode([1], cut), 0.9)).toBeAllClose([10]);
  });

  test('a terminated one does not, whatever value is at hand', () => {
    expect(rewardsToGo(episode([1], { bootstrapValues: [10] }), 0.9)).toBeAllClose([1]);
  });

  test('an end that is also a cut is an end', () => {
    expect(rewardsToGo(episode([1], { truncated: [1], bootstrapValues: [10] }), 0.9)).toBeAllClose([1]);
  });

  test('two episodes in one row do not mix', () => {
    expect(rewardsToGo(episode([1, 2, 4, 8], { terminated: [0, 1, 0, 1] }), 1)).toBeAllClose([3, 2, 12, 8]);
  });

  test('agree with a double loop over any ends, cuts and padding', () => {
    fc.assert(
      fc.property(shapes, ({ batchSize, steps, seed, gamma }) => {
        const made = randomSteps(batchSize, steps, seed);
        expect(rewardsToGo(made.data, gamma)).toBeAllClose(byDoubleLoop(made, gamma, 1).returns, {
          atol: 1e-5,
        });
      }),
    );
  });
});

describe('generalised advantages', () => {
  test('by hand, with γ = .5 and λ = .5', () => {
    // δ₁ = 2 − 1 = 1; δ₀ = 1 + .5·1 − 3 = −1.5; Â₀ = −1.5 + .25·1 = −1.25
    const { advantages, returns } = generalisedAdvantages(episode([1, 2]), [3, 1], 0.5, 0.5);
    expect(advantages).toBeAllClose([-1.25, 1]);
    expect(returns).toBeAllClose([1.75, 2]);
  });

  test('lambda = 1 gives Monte Carlo advantages', () => {
    const { data, values } = randomSteps(3, 7, 1);
    const { advantages, returns } = generalisedAdvantages(data, values, 0.9, 1);
    const monteCarlo = rewardsToGo(data, 0.9);
    const masked = values.map((v, i) => (data.mask[i] ? monteCarlo[i] - v : 0));
    expect(advantages).toBeAllClose(masked, { atol: 1e-5 });
    expect(returns).toBeAllClose(monteCarlo, { atol: 1e-5 });
  });

  test('lambda = 0 gives one-step errors', () => {
    // 1 + .9·5 − 4 = 1.5; 2 − 5 = −3
    expect(generalisedAdvantages(episode([1, 2]), [4, 5], 0.9, 0).advantages).toBeAllClose([1.5, -3]);
  });

  test('truncation bootstraps and termination does not', () => {
    const cut = { terminated: [0], truncated: [1], bootstrapValues: [10] };
    expect(generalisedAdvantages(episode([1], cut), [2], 0.9, 0.95).advantages).toBeAllClose([8]);
    expect(
      generalisedAdvantages(episode([1], { bootstrapValues: [10] }), [2], 0.9, 0.95).advantages,
    ).toBeAllClose([-1]);
  });

  test('padding inside a row carries the running advantage through without decay', () => {
    const dense = generalisedAdvantages(episode([1, 2]), [3, 1], 0.9, 0.8).advantages;
    const sparse = generalisedAdvantages(
      episode([1, 7, 2, 9], { terminated: [0, 0, 1, 0], mask: [1, 0, 1, 0] }),
      [3, 100, 1, 100],
      0.9,
      0.8,
    ).advantages;
    expect(sparse).toBeAllClose([dense[0], 0, dense[1], 0]);
  });

  test('agree with a double loop over any ends, cuts and padding', () => {
    fc.assert(
      fc.property(shapes, ({ batchSize, steps, seed, gamma, lambda }) => {
        const made = randomSteps(batchSize, steps, seed);
        const { advantages, returns } = generalisedAdvantages(made.data, made.values, gamma, lambda);
        const expected = byDoubleLoop(made, gamma, lambda).advantages;
        expect(advantages).toBeAllClose(expected, { atol: 1e-5 });
        expect(returns).toBeAllClose(
          expected.map((a, i) => (made.data.mask[i] ? a + made.values[i] : 0)),
          { atol: 1e-5 },
        );
      }),
    );
  });
});

test.each(['rewards', 'terminated', 'truncated', 'bootstrapValues', 'mask'] as const)(
  '%s of another length are refused',
  (part) => {
    const data = episode([1, 2], { [part]: [1] });
    expect(() => rewardsToGo(data, 1)).toThrow(ShapeError);
    expect(() => generalisedAdvantages(data, [0, 0], 1, 1)).toThrow(
      `${part} must have B × T = 1 × 2 numbers; got 1`,
    );
  },
);

test('moments count real steps only, and the deviation is that of the population', () => {
  // 2, 4, 6: mean 4, variance (4 + 0 + 4)/3
  const { mean, std } = maskedMoments([2, 99, 4, 6], [1, 0, 1, 1]);
  expect([mean, std]).toBeAllClose([4, Math.sqrt(8 / 3)]);
});

test('normalised advantages have mean 0 and deviation 1 over the real steps, and are 0 elsewhere', () => {
  const normal = normaliseAdvantages([2, 99, 4, 6], [1, 0, 1, 1]);
  expect(normal).toBeAllClose(
    [-2, 0, 0, 2].map((x) => x / Math.sqrt(8 / 3)),
    { atol: 1e-6 },
  );
  expect(normaliseAdvantages([3, 3, 3], [1, 1, 1])).toBeAllClose([0, 0, 0], { atol: 0 });
});

test('a single step cannot be normalised', () => {
  expect(() => normaliseAdvantages([1, 2], [0, 1])).toThrow('over two steps or more; got 1');
  expect(() => normaliseAdvantages([1, 2, 3], [1, 1])).toThrow(ShapeError);
});

describe('n-step advantages', () => {
  test('by hand: n = 2, γ = .5, values 10, 20, 30, rewards 1, 2, 3', () => {
    // 1 + .5·2 + .25·30 = 9.5; 2 + .5·3 = 3.5 (the end comes first); 3
    const { advantages, returns } = nStepAdvantages(episode([1, 2, 3]), [10, 20, 30], 0.5, 2);
    expect(returns).toBeAllClose([9.5, 3.5, 3]);
    expect(advantages).toBeAllClose([-0.5, -16.5, -27]);
  });

  test('a cut bootstraps once: r = 1, γ = .9, V = 10 gives 10, not 9.1', () => {
    const cut = { terminated: [0], truncated: [1], bootstrapValues: [10] };
    for (const n of [1, 2, 5])
      expect(nStepAdvantages(episode([1], cut), [0], 0.9, n).returns).toBeAllClose([10]);
  });

  test('n = 1 is λ = 0, and n of a whole row is λ = 1, over any ends, cuts and padding', () => {
    fc.assert(
      fc.property(shapes, ({ batchSize, steps, seed, gamma }) => {
        const { data, values } = randomSteps(batchSize, steps, seed);
        for (const [n, lambda] of [
          [1, 0],
          [steps, 1],
        ]) {
          const found = nStepAdvantages(data, values, gamma, n);
          const expected = generalisedAdvantages(data, values, gamma, lambda);
          expect(found.advantages).toBeAllClose(expected.advantages, { atol: 1e-5 });
          expect(found.returns).toBeAllClose(expected.returns, { atol: 1e-5 });
        }
      }),
    );
  });

  test('needs an integer n ≥ 1', () => {
    expect(() => nStepAdvantages(episode([1]), [0], 1, 0)).toThrow(
      'n-step returns need an integer n ≥ 1; got 0.',
    );
    expect(() => nStepAdvantages(episode([1]), [0], 1, 1.5)).toThrow(ShapeError);
  });
});

test('whole returns: the first real reward-to-go of a row on all its real steps', () => {
  const rows = { batchSize: 2, steps: 3, mask: [1, 1, 0, 0, 1, 1] };
  expect(wholeReturns([5, 3, 0, 0, 9, 4], rows)).toBeAllClose([5, 5, 0, 0, 9, 9]);
});
