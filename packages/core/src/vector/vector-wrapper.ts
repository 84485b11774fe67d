import type { ActionArray, Space } from '../spaces.js';
import type { VectorEnvironment, VectorStep } from './vector-environment.js';

/** What a wrapper saves: the wrapped environment's state and its own. */
interface WrapperState {
  readonly inner: unknown;
  readonly own: unknown;
}

/** A vector environment that changes what another takes or gives. By itself it changes nothing; wrappers override. */
export abstract class VectorWrapper implements VectorEnvironment {
  readonly name: string;
  readonly count: number;
  readonly observationSpace: Space;
  readonly actionSpace: Space;
  readonly observationSize: number;

  constructor(readonly inner: VectorEnvironment) {
    this.name = inner.name;
    this.count = inner.count;
    this.observationSpace = inner.observationSpace;
    this.actionSpace = inner.actionSpace;
    this.observationSize = inner.observationSize;
  }

  reset(seed: number): Float32Array {
    return this.inner.reset(seed);
  }

  step(actions: ActionArray): VectorStep {
    return this.inner.step(actions);
  }

  state(): WrapperState {
    return { inner: this.inner.state(), own: this.ownState() };
  }

  restore(state: unknown): Float32Array {
    const { inner, own } = state as WrapperState;
    this.restoreOwn(own);
    return this.inner.restore(inner);
  }

  close(): Promise<void> {
    return this.inner.close();
  }

  /** What the wrapper saves beside what it wraps, as plain JSON. */
  protected ownState(): unknown {
    return null;
  }

  /** Goes on from what `ownState` gave. */
  protected restoreOwn(_own: unknown): void {}
}
