import { CheckpointError } from '../errors.js';
import type { NamedArray } from '../nn/parameters.js';
import { decodeSafetensors, encodeSafetensors } from '../run/safetensors.js';
import type { ReferenceScores, Rollout } from './rollout.js';

const ARRAYS = 'rollout.safetensors';
const DESCRIPTION = 'rollout.json';

/** Kinds of arrays that a rollout has beside float32; their values are integers that float32 holds exactly. */
const KINDS = { Int32Array, Uint8Array } as const;

/** What `rollout.json` holds. */
interface Description {
  readonly batchSize: number;
  readonly steps: number;
  readonly samplesPerContext?: number;
  /** Of sequences. */
  readonly contextLength?: number;
  /** Of step environments. */
  readonly observationSize?: number;
  /** Arrays that are not float32, by name. */
  readonly kinds: Readonly<Record<string, keyof typeof KINDS>>;
}

/** A rollout as files: its arrays, whatever they hold, and a page of JSON that says what they are. */
export function encodeRollout(rollout: Rollout): Record<string, Uint8Array | string> {
  const { batchSize, steps, samplesPerContext, inputs, components, reference, ...own } = rollout;
  const arrays: Record<string, NamedArray> = {};
  const kinds: Record<string, keyof typeof KINDS> = {};
  const add = (name: string, array: unknown): void => {
    if (!(array instanceof Float32Array || array instanceof Int32Array || array instanceof Uint8Array))
      return;
    if (array instanceof Int32Array) kinds[name] = 'Int32Array';
    if (array instanceof Uint8Array) kinds[name] = 'Uint8Array';
    arrays[name] = { shape: [array.length], data: Float32Array.from(array) };
  };
  const addAll = (prefix: string, group: object = {}): void =>
    Object.entries(group).forEach(([name, array]) => add(`${prefix}${name}`, array));
  addAll('', own);
  addAll('inputs.', inputs);
  addAll('components.', components);
  addAll('reference.', reference);
  const description: Description = {
    batchSize,
    steps,
    samplesPerContext,
    ...('contextLength' in inputs
      ? { contextLength: inputs.contextLength }
      : { observationSize: inputs.observationSize }),
    kinds,
  };
  return {
    [ARRAYS]: encodeSafetensors(arrays),
    [DESCRIPTION]: `${JSON.stringify(description, null, 2)}\n`,
  };
}

/**
 * The reverse of `encodeRollout`.
 *
 * @param source - the folder of the files, for messages
 * @throws {CheckpointError} when a file is missing or damaged
 */
export function decodeRollout(files: Readonly<Record<string, Uint8Array>>, source: string): Rollout {
  if (!files[ARRAYS] || !files[DESCRIPTION])
    throw new CheckpointError(`${source} has no ${files[ARRAYS] ? DESCRIPTION : ARRAYS}.`);
  const { arrays } = decodeSafetensors(files[ARRAYS], `${source}/${ARRAYS}`, { finite: false });
  let description: Description;
  try {
    description = JSON.parse(Buffer.from(files[DESCRIPTION]).toString('utf8')) as Description;
  } catch {
    throw new CheckpointError(`${source}/${DESCRIPTION} is damaged: it is not JSON.`);
  }
  const { kinds, contextLength, observationSize, ...sizes } = description;
  const placed = Object.entries(arrays).map(([name, { data }]) => {
    const [group, key] = /^(inputs|components|reference)\.(.*)$/s.exec(name)?.slice(1) ?? ['own', name];
    const kind = kinds[name];
    return { group, key, data: kind ? KINDS[kind].from(data) : data };
  });
  // from entries, so that a component may be called anything, __proto__ too
  const inGroup = (group: string): Record<string, unknown> =>
    Object.fromEntries(placed.flatMap((one) => (one.group === group ? [[one.key, one.data]] : [])));
  const reference = inGroup('reference');
  return {
    ...sizes,
    ...inGroup('own'),
    components: inGroup('components'),
    inputs: {
      ...inGroup('inputs'),
      ...(contextLength === undefined ? { observationSize } : { contextLength }),
    },
    ...(Object.keys(reference).length > 0 && { reference: reference as unknown as ReferenceScores }),
  } as unknown as Rollout;
}
