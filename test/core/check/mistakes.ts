/* eslint-disable @typescript-eslint/unbound-method -- methods are taken over from the sound classes, and called on what they belong to */
/** Environments that are sound, and one mistake at a time in them. */
import {
  RandomStream,
  box,
  type CheckOptions,
  type CheckRule,
  type Environment,
  type RandomState,
  type SequenceBatch,
  type SequenceEnvironment,
  type SpaceValue,
  type StepBuffers,
  type StepResult,
} from '@rollcast/core';

export interface Mistake {
  readonly rule: CheckRule;
  readonly what: string;
  readonly says: RegExp;
  readonly make: () => Environment | SequenceEnvironment;
  readonly options?: CheckOptions;
}

/** A noisy walk on a line that ends beyond ±3: everything that the contract knows is in it. */
export class Walk {
  name = 'walk';
  observationSpace = box(-10, 10, [2]);
  actionSpace = box(-1, 1, [1]);
  x = 0;
  steps = 0;
  random!: RandomStream;

  reset(seed: number): SpaceValue {
    this.random = new RandomStream(seed, this.name);
    this.x = this.random.normal() / 4;
    this.steps = 0;
    return this.look();
  }

  step(action: SpaceValue): StepResult {
    this.x += (action as Float32Array)[0] + this.random.normal();
    this.steps++;
    const terminated = Math.abs(this.x) > 3;
    return {
      observation: this.look(),
      reward: 1 - Math.abs(this.x) / 3,
      terminated,
      truncated: false,
      info: { distance: Math.abs(this.x) },
    };
  }

  look(): number[] {
    return [Math.max(-10, Math.min(10, this.x)), this.steps % 2];
  }

  state(): unknown {
    return { x: this.x, steps: this.steps, random: this.random.state() };
  }

  restore(state: unknown): void {
    const { x, steps, random } = state as { x: number; steps: number; random: RandomState };
    this.x = x;
    this.steps = steps;
    this.random = RandomStream.fromState(random);
  }

  resetInto(seed: number, buffers: StepBuffers, index: number): void {
    buffers.observations.set(this.reset(seed) as number[], 2 * index);
  }

  stepInto(buffers: StepBuffers, index: number): undefined {
    const { observation, reward, terminated } = this.step(buffers.actions.slice(index, index + 1));
    buffers.observations.set(observation as number[], 2 * index);
    buffers.rewards[index] = reward;
    buffers.terminated[index] = Number(terminated);
    buffers.truncated[index] = 0;
  }
}

export const soundSteps = (): Environment => new Walk();

/** The walk without saved states and fast path, with something wrong about it; what is undefined is taken out. */
function walkWith(wrong: Readonly<Record<string, unknown>>): Environment {
  const plain = { state: undefined, restore: undefined, resetInto: undefined, stepInto: undefined };
  return Object.assign(new Walk(), plain, wrong);
}

/** The walk whose steps are changed on the way out. */
function stepsWith(
  change: (result: StepResult, walk: Walk) => unknown,
  more: object = {},
): () => Environment {
  return () =>
    walkWith({
      ...more,
      step(this: Walk, action: SpaceValue) {
        return change(Walk.prototype.step.call(this, action), this);
      },
    });
}

/** What all instances share, wrongly. */
const shared = { x: 0, made: 0 };

const mistake = (
  rule: CheckRule,
  what: string,
  says: RegExp,
  make: () => Environment,
  options?: CheckOptions,
): Mistake => ({ rule, what, says, make, options });

export const stepMistakes: readonly Mistake[] = [
  mistake('create', 'a constructor that fails', /no instance could be made: no licence/, () => {
    throw new Error('no licence');
  }),
  mistake('contract', 'no action space', /missing: actionSpace/, () => walkWith({ actionSpace: undefined })),
  mistake('name', 'an empty name', /the name is ""/, () => walkWith({ name: '' })),
  mistake('spaces', 'a space of one’s own making', /observationSpace is \{"shape":\[2\]\}.*box\(low/, () =>
    walkWith({ observationSpace: { shape: [2] } }),
  ),
  mistake('spaces-fixed', 'a space that grows', /two instances have different spaces/, () =>
    walkWith({ observationSpace: box(-10 - ++shared.made, 10, [2]) }),
  ),
  mistake('action-bounds', 'an action without bounds', /between -Infinity and Infinity.*finite bounds/, () =>
    walkWith({ actionSpace: box(-Infinity, Infinity, [1]) }),
  ),
  mistake('max-episode-steps', 'half a step as time limit', /maxEpisodeSteps is 0\.5/, () =>
    walkWith({ maxEpisodeSteps: 0.5 }),
  ),
  mistake('state-pair', 'a state that cannot be restored', /has state and no restore/, () =>
    walkWith({ state: Walk.prototype.state }),
  ),
  mistake('in-place-pair', 'half of the fast path', /has stepInto and no resetInto/, () =>
    walkWith({ stepInto: Walk.prototype.stepInto }),
  ),
  mistake('reset', 'a reset that fails', /reset\(0\) failed: file not found/, () =>
    walkWith({
      reset() {
        throw new Error('file not found');
      },
    }),
  ),
  mistake(
    'reset-after-end',
    'an environment for one episode',
    /after the end of an episode failed: used up/,
    () =>
      walkWith({
        reset(this: Walk & { used?: boolean }, seed: number) {
          if (this.used) throw new Error('used up');
          this.used = true;
          return Walk.prototype.reset.call(this, seed);
        },
      }),
  ),
  mistake(
    'step',
    'a step that fails',
    /step 1 of the episode of seed 0 failed on the action \[.*\]: no such force/,
    stepsWith(() => {
      throw new Error('no such force');
    }),
  ),
  mistake(
    'synchronous',
    'an asynchronous step',
    /step 1 .* returned a promise.*leave out async/,
    stepsWith((result) => Promise.resolve(result)),
  ),
  mistake(
    'observation-shape',
    'a short observation',
    /returned 1 numbers; observationSpace says numbers of the shape \[2\]/,
    stepsWith((result, { x }) => ({ ...result, observation: [x / 10] })),
  ),
  mistake(
    'observation-shape',
    'one number where an array is due',
    /returned one number by itself/,
    stepsWith((result, { x }) => ({ ...result, observation: x })),
  ),
  mistake(
    'observation-dtype',
    'a text in the observation',
    /an observation with "far" \(string\)/,
    stepsWith((result) => ({ ...result, observation: [1, 'far'] })),
  ),
  mistake(
    'observation-finite',
    'a NaN in the observation',
    /returned NaN as entry 1/,
    stepsWith((result) => ({ ...result, observation: [1, NaN] })),
  ),
  mistake(
    'observation-finite',
    'a number that float32 cannot hold',
    /returned 1e\+39 as entry 0.*3\.4e38/,
    stepsWith((result) => ({ ...result, observation: [1e39, 0] }), {
      observationSpace: box(-Infinity, Infinity, [2]),
    }),
  ),
  mistake(
    'observation-range',
    'an observation outside of its space',
    /returned 11 as entry 0 of the observation.*widen observationSpace/,
    stepsWith((result) => ({ ...result, observation: [11, 0] })),
  ),
  mistake(
    'observation-copied',
    'one array for all observations',
    /changed the observation that was handed over/,
    () => {
      const view = new Float32Array(2);
      return walkWith({
        look(this: Walk) {
          view.set(Walk.prototype.look.call(this));
          return view;
        },
      });
    },
  ),
  mistake(
    'observation-varies',
    'an observation that says nothing',
    /all of \d+ observations are the same/,
    () => walkWith({ look: () => [0, 0] }),
  ),
  mistake('observation-scale', 'an observation in millionths', /largest entry of an observation is/, () =>
    walkWith({
      observationSpace: box(-1e8, 1e8, [2]),
      look(this: Walk) {
        return [1e6 * this.x, this.steps];
      },
    }),
  ),
  mistake(
    'step-result',
    'a step without truncated',
    /returned no truncated/,
    stepsWith((result) => ({ ...result, truncated: undefined })),
  ),
  mistake(
    'step-result',
    'Gymnasium’s tuple',
    /returned no observation, no reward|returned \[/,
    stepsWith(({ observation, reward }) => [observation, reward, false, false]),
  ),
  mistake(
    'reward-number',
    'a reward in an array',
    /returned the reward \[1\]/,
    stepsWith((result) => ({ ...result, reward: [1] })),
  ),
  mistake(
    'reward-finite',
    'the logarithm of nothing',
    /returned the reward -Infinity.*logarithm of 0/,
    stepsWith((result) => ({ ...result, reward: Math.log(0) })),
  ),
  mistake(
    'reward-scale',
    'a reward in millionths',
    /largest reward of \d+ random steps is .* in size\. Rewards of about 1 .* divide/,
    stepsWith((result) => ({ ...result, reward: 1e6 * result.reward })),
  ),
  mistake(
    'reward-seen',
    'a reward that is never given',
    /all rewards of \d+ random steps are 0/,
    stepsWith((result) => ({ ...result, reward: 0 })),
  ),
  mistake(
    'end-flags',
    'a flag that is 0',
    /terminated 0 and truncated false/,
    stepsWith((result) => ({ ...result, terminated: 0 })),
  ),
  mistake(
    'one-end',
    'an episode that ends and is cut at once',
    /terminated and truncated at once/,
    stepsWith((result) => ({ ...result, truncated: result.terminated })),
  ),
  mistake(
    'time-limit',
    'a time limit that terminates',
    /all of 5 random episodes are terminated at step 20.*Set maxEpisodeSteps = 20/,
    stepsWith((result, { steps }) => ({ ...result, terminated: steps === 20 })),
  ),
  mistake(
    'ends',
    'an episode without end',
    /has not ended after 300 random steps.*Set maxEpisodeSteps/,
    stepsWith((result) => ({ ...result, terminated: false, reward: 1 })),
  ),
  mistake(
    'info',
    'a text in info',
    /returned unit = "km" in info/,
    stepsWith((result) => ({ ...result, info: { unit: 'km' } })),
  ),
  mistake(
    'action-kept',
    'an action that is clipped in place',
    /changed the action that it was given from/,
    () =>
      walkWith({
        step(this: Walk, action: Float32Array) {
          const result = Walk.prototype.step.call(this, action);
          action[0] = Math.sign(action[0]);
          return result;
        },
      }),
  ),
  mistake('deterministic', 'Math.random', /two new instances with seed 0.*no Math\.random/, () =>
    walkWith({
      look(this: Walk) {
        return [Math.random(), 0];
      },
    }),
  ),
  mistake(
    'reset-leftover',
    'a stream that goes on over episodes',
    /is another one after other episodes/,
    () =>
      walkWith({
        reset(this: Walk, seed: number) {
          this.random ??= new RandomStream(seed, this.name);
          this.x = 0;
          this.steps = 0;
          return this.look();
        },
      }),
  ),
  mistake(
    'instances-independent',
    'a position that all instances share',
    /step in turns give other results/,
    () =>
      walkWith({
        reset(this: Walk, seed: number) {
          const start = Walk.prototype.reset.call(this, seed);
          shared.x = this.x;
          return start;
        },
        step(this: Walk, action: SpaceValue) {
          this.x = shared.x;
          const result = Walk.prototype.step.call(this, action);
          shared.x = this.x;
          return result;
        },
      }),
  ),
  mistake('state-json', 'a typed array in the state', /state\(\)\.view is no JSON \(Float32Array\)/, () =>
    walkWith({
      state(this: Walk) {
        return { ...(Walk.prototype.state.call(this) as object), view: new Float32Array(2) };
      },
      restore: Walk.prototype.restore,
    }),
  ),
  mistake(
    'restore-exact',
    'a state without its random stream',
    /steps after restore, .*RandomStream\.state\(\)/,
    () =>
      walkWith({
        state: Walk.prototype.state,
        restore(this: Walk, state: { x: number; steps: number }) {
          this.x = state.x;
          this.steps = state.steps;
          this.random = new RandomStream(0, 'other');
        },
      }),
  ),
  mistake(
    'in-place-agrees',
    'a fast path that forgets the row',
    /start of the episode of seed 0 is another one/,
    () =>
      walkWith({
        resetInto(this: Walk, seed: number, buffers: StepBuffers) {
          Walk.prototype.resetInto.call(this, seed, buffers, 0);
        },
        stepInto: Walk.prototype.stepInto,
      }),
  ),
  (() => {
    let clock = 0;
    const slow = stepsWith((result) => ((clock += 50), result));
    return mistake(
      'speed',
      'a step of 50 ms',
      /it makes 20 steps a second; 100 000 steps take 83 minutes/,
      slow,
      {
        now: () => clock,
        seconds: 1e6,
      },
    );
  })(),
];

/** B contexts of 3 tokens with a weight each; a token is worth its weight where it continues the sum of its context. */
class Sum implements SequenceEnvironment<SumBatch> {
  name = 'sum';
  vocabularySize = 4;
  contextLength = 3;
  horizon = 5;

  sample(size: number, random: RandomStream): SumBatch {
    const contextTokens = Int32Array.from({ length: 3 * size }, () => random.integer(4));
    return {
      size,
      contextTokens,
      weights: Array.from({ length: size }, (_, b) => 1 + (contextTokens[3 * b] % 2)),
    };
  }

  reward({ size, contextTokens, weights }: SumBatch, generated: Int32Array) {
    const reward = Float32Array.from(generated, (token, i) => {
      const b = Math.floor(i / 5);
      const sum = contextTokens[3 * b] + contextTokens[3 * b + 1] + contextTokens[3 * b + 2];
      return token === (sum + (i % 5)) % 4 ? weights[b] : 0;
    });
    const right = Float32Array.from({ length: size }, (_, b) =>
      reward.subarray(5 * b, 5 * b + 5).reduce((total, value) => total + value, 0),
    );
    return { reward, components: { right } };
  }

  repeat({ size, contextTokens, weights }: SumBatch, times: number): SumBatch {
    const rows = Array.from({ length: size * times }, (_, i) => Math.floor(i / times));
    return {
      size: rows.length,
      contextTokens: Int32Array.from(rows.flatMap((b) => [...contextTokens.subarray(3 * b, 3 * b + 3)])),
      weights: rows.map((b) => weights[b]),
    };
  }

  view(_: SumBatch, index: number, generated: Int32Array) {
    return {
      title: 'sum',
      valueLabel: 'token',
      context: [0, 0, 0],
      target: [0, 0, 0, 0, 0],
      predicted: [...generated.subarray(5 * index, 5 * index + 5)],
    };
  }
}
interface SumBatch extends SequenceBatch {
  readonly weights: readonly number[];
}

export const soundSequences = (): SequenceEnvironment => new Sum();

interface SequenceMistake extends Mistake {
  readonly make: () => SequenceEnvironment;
}

function sumWith(wrong: Readonly<Record<string, unknown>>): SequenceEnvironment {
  return Object.assign(new Sum(), wrong);
}

type SumReward = ReturnType<Sum['reward']>;

/** The sums whose rewards are changed on the way out. */
function rewardsWith(change: (result: SumReward, batch: SumBatch, tokens: Int32Array) => unknown) {
  return () =>
    sumWith({
      reward: (batch: SumBatch, tokens: Int32Array) =>
        change(Sum.prototype.reward.call(null as never, batch, tokens), batch, tokens),
    });
}

function samplesWith(change: (batch: SumBatch) => unknown) {
  return () =>
    sumWith({
      sample: (size: number, random: RandomStream) =>
        change(Sum.prototype.sample.call(null as never, size, random)),
    });
}

const sequenceMistake = (
  rule: CheckRule,
  what: string,
  says: RegExp,
  make: () => SequenceEnvironment,
  options?: CheckOptions,
): SequenceMistake => ({ rule, what, says, make, options });

export const sequenceMistakes: readonly SequenceMistake[] = [
  sequenceMistake(
    'create',
    'nothing in place of an instance',
    /what was made is undefined/,
    () => undefined as never,
  ),
  sequenceMistake('contract', 'no horizon', /missing: horizon/, () => sumWith({ horizon: undefined })),
  sequenceMistake('name', 'a name that is a number', /the name is 7/, () => sumWith({ name: 7 })),
  sequenceMistake('sizes', 'a vocabulary of half a token', /vocabularySize is 3\.5/, () =>
    sumWith({ vocabularySize: 3.5 }),
  ),
  sequenceMistake(
    'sample',
    'a sample that only comes in sixteens',
    /sample\(1, random\) failed: 16 or nothing/,
    samplesWith((batch) => {
      if (batch.size !== 16) throw new Error('16 or nothing');
      return batch;
    }),
  ),
  sequenceMistake(
    'sample-size',
    'a context too few',
    /gave 16 contexts and 45 tokens instead of 16 × 3/,
    samplesWith((batch) => ({ ...batch, contextTokens: batch.contextTokens.subarray(3) })),
  ),
  sequenceMistake(
    'sample-dtype',
    'tokens in a plain array',
    /contextTokens is \[.*Make it an Int32Array/,
    samplesWith((batch) => ({ ...batch, contextTokens: Array.from(batch.contextTokens) })),
  ),
  sequenceMistake(
    'token-range',
    'tokens that start at 1',
    /of the contexts is 4; the vocabulary has 4/,
    samplesWith((batch) => ({ ...batch, contextTokens: batch.contextTokens.map((token) => token + 1) })),
  ),
  sequenceMistake(
    'sample-deterministic',
    'contexts by Math.random',
    /draws other contexts from the same random stream/,
    samplesWith((batch) => ({
      ...batch,
      contextTokens: batch.contextTokens.map(() => Math.floor(4 * Math.random())),
    })),
  ),
  sequenceMistake(
    'reward-call',
    'a reward that fails on bad tokens',
    /reward failed on 16 random sequences: not a sentence/,
    rewardsWith(() => {
      throw new Error('not a sentence');
    }),
  ),
  sequenceMistake(
    'reward-form',
    'a bare array as reward',
    /reward returned Float32Array of 80.*Return \{ reward, components \}/,
    rewardsWith(({ reward }) => reward),
  ),
  sequenceMistake(
    'reward-length',
    'a number too few',
    /the reward of 16 sequences has 79 numbers/,
    rewardsWith(({ reward, components }) => ({ reward: reward.subarray(1), components })),
  ),
  sequenceMistake(
    'reward-finite',
    'a reward divided by nothing',
    /number 0 of the reward is NaN/,
    rewardsWith(({ reward, components }) => ({ reward: reward.map((r) => r * NaN), components })),
  ),
  sequenceMistake(
    'components-named',
    'a name with a blank',
    /a component is called "right share"/,
    rewardsWith(({ reward, components }) => ({ reward, components: { 'right share': components.right } })),
  ),
  sequenceMistake(
    'component-length',
    'a component for the whole batch',
    /"right" of 16 sequences has 2 numbers/,
    rewardsWith(({ reward }) => ({ reward, components: { right: new Float32Array(2) } })),
  ),
  sequenceMistake(
    'component-finite',
    'a component that is infinite',
    /number 0 of the component "right" is Infinity/,
    rewardsWith(({ reward, components }) => ({
      reward,
      components: { right: components.right.fill(Infinity) },
    })),
  ),
  sequenceMistake(
    'reward-deterministic',
    'a reward with noise',
    /worth something else the second time/,
    rewardsWith(({ reward, components }) => ({ reward: reward.map((r) => r + Math.random()), components })),
  ),
  sequenceMistake(
    'inputs-kept',
    'a reward that pads the tokens',
    /changed the contexts or the generated tokens/,
    rewardsWith((result, _, tokens) => {
      tokens[0] = (tokens[0] + 1) % 4;
      return result;
    }),
  ),
  sequenceMistake(
    'permutation',
    'a reward by the place in the batch',
    /in another order of the batch, .*row b starts at/,
    rewardsWith(({ reward, components }) => ({ reward: reward.map((r, i) => r * i), components })),
  ),
  sequenceMistake(
    'rows-independent',
    'a reward that is centred over the batch',
    /scored by itself is worth something else than in a batch of 16/,
    rewardsWith(({ reward, components }) => {
      const mean = reward.reduce((sum, r) => sum + r, 0) / reward.length;
      return { reward: reward.map((r) => r - mean), components };
    }),
  ),
  sequenceMistake(
    'reward-varies',
    'a reward for nothing',
    /random sequences are worth 5/,
    rewardsWith(({ reward, components }) => ({ reward: reward.fill(1), components })),
  ),
  sequenceMistake(
    'reward-scale',
    'a reward in thousands',
    /largest reward of \d+ random sequences is .* divide/,
    rewardsWith(({ reward, components }) => ({ reward: reward.map((r) => 1e4 * r), components })),
  ),
  sequenceMistake(
    'repeat-missing',
    'weights that cannot be repeated',
    /also hold weights.*rloo and grpo/,
    () => sumWith({ repeat: undefined }),
  ),
  sequenceMistake('repeat', 'weights that are forgotten in repeat', /does not give each row 4 times/, () =>
    sumWith({
      repeat: (batch: SumBatch, times: number) => ({
        ...Sum.prototype.repeat.call(null as never, batch, times),
        weights: new Array<number>(batch.size * times).fill(7),
      }),
    }),
  ),
  sequenceMistake('view', 'a picture without a target', /target must be 5 finite numbers; got \[\]/, () =>
    sumWith({
      view: (batch: SumBatch, index: number, tokens: Int32Array) => ({
        ...Sum.prototype.view.call(null as never, batch, index, tokens),
        target: [],
      }),
    }),
  ),
  (() => {
    let clock = 0;
    const slow = rewardsWith((result, { size }) => ((clock += 10 * size), result));
    return sequenceMistake('speed', 'a reward of 10 ms', /samples and scores 500 tokens a second/, slow, {
      now: () => clock,
    });
  })(),
];
