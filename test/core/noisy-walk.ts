import {
  box,
  discrete,
  RandomStream,
  type Environment,
  type RandomState,
  type StepResult,
} from '@rollcast/core';

export interface NoisyWalkOptions {
  /** Step of each episode at which something goes wrong. */
  failAt?: number;
  failure?:
    | 'throw'
    | 'nanReward'
    | 'nanObservation'
    | 'infiniteObservation'
    | 'shortObservation'
    | 'exit'
    | 'vanish'
    | 'slow';
  savesState?: boolean;
  /** Distance at which an episode ends. */
  edge?: number;
}

interface WalkState {
  x: number;
  steps: number;
  random: RandomState;
}

/** A walk on a line with noise from the episode's own stream: −1, 0 or +1 a step plus noise; over beyond the edge. */
export class NoisyWalk implements Environment<number[], number> {
  readonly name = 'noisy-walk';
  readonly observationSpace = box(-Infinity, Infinity, [2]);
  readonly actionSpace = discrete(3);
  readonly state?: () => WalkState;
  readonly restore?: (state: unknown) => void;
  private x = 0;
  private steps = 0;
  private random!: RandomStream;

  constructor(private readonly options: NoisyWalkOptions = {}) {
    if (options.savesState) {
      this.state = () => ({ x: this.x, steps: this.steps, random: this.random.state() });
      this.restore = (state) => {
        const saved = state as WalkState;
        this.x = saved.x;
        this.steps = saved.steps;
        this.random = RandomStream.fromState(saved.random);
      };
    }
  }

  reset(seed: number): number[] {
    this.random = new RandomStream(seed, this.name);
    this.x = this.random.normal();
    this.steps = 0;
    return [this.x, 0];
  }

  step(action: number): StepResult<number[]> {
    this.x += action - 1 + this.random.normal();
    this.steps++;
    const { failure, failAt, edge = 4 } = this.options;
    const result = {
      observation: [this.x, this.steps],
      reward: -Math.abs(this.x),
      terminated: Math.abs(this.x) > edge,
      truncated: false,
      ...(this.steps % 2 === 0 && { info: { distance: Math.abs(this.x) } }),
    };
    if (this.steps !== failAt) return result;
    if (failure === 'throw') throw new Error('the sensor is off');
    if (failure === 'exit') process.exit(3);
    if (failure === 'vanish') {
      process.removeAllListeners('exit'); // as when memory runs out: nothing of the thread runs any more
      process.exit(3);
    }
    if (failure === 'slow') {
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1200);
      return result;
    }
    if (failure === 'nanReward') return { ...result, reward: NaN };
    if (failure === 'nanObservation') return { ...result, observation: [this.x, NaN] };
    if (failure === 'infiniteObservation') return { ...result, observation: [1e39, 0] };
    return { ...result, observation: [this.x] };
  }
}

export function makeNoisyWalk(options: NoisyWalkOptions): NoisyWalk {
  return new NoisyWalk(options);
}
