import { EnvironmentError } from '../errors.js';
import { box, type ActionArray, type BoxSpace } from '../spaces.js';
import type { VectorEnvironment, VectorStep } from './vector-environment.js';
import { VectorWrapper } from './vector-wrapper.js';

function boxOf(wrapper: string, { name, actionSpace }: VectorEnvironment): BoxSpace {
  if (actionSpace.kind !== 'box') {
    throw new EnvironmentError(
      `${wrapper} needs an environment whose actions are a box; an action of "${name}" is ${actionSpace.describe()}. Leave the wrapper out.`,
    );
  }
  return actionSpace;
}

/** Clips each action to the bounds of the box, so that a policy may give any number (Gymnasium's ClipAction). */
export class ClipActions extends VectorWrapper {
  override readonly actionSpace: BoxSpace;
  private readonly bounds: BoxSpace;
  private readonly actions: Float32Array;

  /** @throws {EnvironmentError} when the actions are not a box */
  constructor(inner: VectorEnvironment) {
    super(inner);
    this.bounds = boxOf('ClipActions', inner);
    this.actionSpace = box(-Infinity, Infinity, this.bounds.shape);
    this.actions = new Float32Array(this.count * this.bounds.size);
  }

  override step(actions: ActionArray): VectorStep {
    const { low, high, size } = this.bounds;
    if (actions.length !== this.actions.length) return this.inner.step(actions); // which says what is wrong
    for (let i = 0; i < actions.length; i++)
      this.actions[i] = Math.max(low[i % size], Math.min(high[i % size], actions[i]));
    return this.inner.step(this.actions);
  }
}

/** Maps actions from [−1, 1] onto the bounds of the box; beyond ±1 they are clipped (Gymnasium's RescaleAction). */
export class RescaleActions extends VectorWrapper {
  override readonly actionSpace: BoxSpace;
  private readonly bounds: BoxSpace;
  private readonly actions: Float32Array;

  /** @throws {EnvironmentError} when the actions are not a box with finite bounds */
  constructor(inner: VectorEnvironment) {
    super(inner);
    this.bounds = boxOf('RescaleActions', inner);
    if (![...this.bounds.low, ...this.bounds.high].every(Number.isFinite)) {
      throw new EnvironmentError(
        `RescaleActions needs finite bounds; an action of "${inner.name}" is ${this.bounds.describe()}. Use ClipActions.`,
      );
    }
    this.actionSpace = box(-1, 1, this.bounds.shape);
    this.actions = new Float32Array(this.count * this.bounds.size);
  }

  override step(actions: ActionArray): VectorStep {
    const { low, high, size } = this.bounds;
    if (actions.length !== this.actions.length) return this.inner.step(actions); // which says what is wrong
    for (let i = 0; i < actions.length; i++) {
      const [least, most] = [low[i % size], high[i % size]];
      const mapped = least + ((actions[i] + 1) * (most - least)) / 2;
      this.actions[i] = Math.max(least, Math.min(most, mapped));
    }
    return this.inner.step(this.actions);
  }
}
