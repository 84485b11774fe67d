import type { SpaceSpec } from '../spaces.js';
import { spaceFromSpec } from '../spaces.js';
import type { VectorBuffers } from './batch.js';

/** What the main thread has to know of an environment that lives on another one. */
export interface EnvironmentSpec {
  readonly name: string;
  readonly observationSpace: SpaceSpec;
  readonly actionSpace: SpaceSpec;
}

/**
 * Room for N instances.
 *
 * @param shared - in memory that threads share
 */
export function vectorBuffers(spec: EnvironmentSpec, count: number, shared: boolean): VectorBuffers {
  const observations = count * spaceFromSpec(spec.observationSpace).flatSize;
  const actions = count * spaceFromSpec(spec.actionSpace).size;
  const room = (bytes: number) => (shared ? new SharedArrayBuffer(bytes) : new ArrayBuffer(bytes));
  return {
    actions:
      spec.actionSpace.kind === 'box'
        ? new Float32Array(room(4 * actions))
        : new Int32Array(room(4 * actions)),
    observations: new Float32Array(room(4 * observations)),
    finalObservations: new Float32Array(room(4 * observations)),
    rewards: new Float64Array(room(8 * count)),
    terminated: new Uint8Array(room(count)),
    truncated: new Uint8Array(room(count)),
    finalReturns: new Float64Array(room(8 * count)),
    finalLengths: new Int32Array(room(4 * count)),
  };
}
