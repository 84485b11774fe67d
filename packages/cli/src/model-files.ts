/** Models and policies as files of a checkpoint: arrays in safetensors, everything else in JSON. */
import { existsSync, readFileSync } from 'node:fs';

import {
  CheckpointError,
  CheckpointStore,
  ConfigError,
  DegradationTransformer,
  RollcastError,
  RunDirectory,
  Tokeniser,
  decodeSafetensors,
  degradationTransformerOptions,
  encodeSafetensors,
  tokeniserOptions,
  zodProblems,
  type Algorithm,
  type AlgorithmState,
  type Checkpoint,
  type NamedArray,
  type Policy,
} from '@rollcast/core';
import { z } from 'zod';

import { KIND_NAMES, type EnvironmentKind } from './environments.js';

const modelFile = z.strictObject({
  model: degradationTransformerOptions,
  tokeniser: tokeniserOptions,
  contextLength: z.int().min(2),
  horizon: z.int().min(1),
});
/** What `model.json` holds: everything but the weights. */
export type ModelDescription = z.output<typeof modelFile>;

/** A model with what it needs to be used. The holder disposes the model. */
export interface LoadedModel {
  readonly model: DegradationTransformer;
  readonly tokeniser: Tokeniser;
  readonly description: ModelDescription;
}

const WEIGHTS = 'weights.safetensors';
const REFERENCE = 'reference.safetensors';
const OPTIMIZER = 'optimizer.safetensors';
const MODEL = 'model.json';
const STATE = 'state.json';
const COLLECTOR = 'collector.json';

type Files = Record<string, Uint8Array | string>;

/** What can be saved and restored as JSON. */
interface Resumable {
  state(): unknown;
  restore(state: unknown): void;
}

/** Everything that a run on a step or sequence environment goes on from; the run's configuration says how it is made. */
export interface PolicyParts {
  readonly policy: Policy;
  readonly algorithm: Algorithm;
  readonly collector: Resumable;
  /** Frozen. */
  readonly referencePolicy?: Policy;
}

/** Such a run as files of a checkpoint. */
export function policyFiles({ policy, algorithm, collector, referencePolicy }: PolicyParts): Files {
  return {
    [WEIGHTS]: encodeSafetensors(policy.parameters.save()),
    ...algorithmFiles(algorithm.state()),
    ...collectorFiles(collector),
    ...(referencePolicy && { [REFERENCE]: encodeSafetensors(referencePolicy.parameters.save()) }),
  };
}

/** SHA-256 of the weights: what was made for others is not for these. */
export function weightsDigest({ digests }: Checkpoint): string {
  return digests[WEIGHTS];
}

/** The reverse of `policyFiles`. @throws {CheckpointError} when a file is missing or does not fit */
export function restorePolicy(
  checkpoint: Checkpoint,
  { policy, algorithm, collector, referencePolicy }: PolicyParts,
): void {
  policy.parameters.load(readArrays(checkpoint, WEIGHTS));
  referencePolicy?.parameters.load(readArrays(checkpoint, REFERENCE));
  algorithm.restore(readAlgorithmState(checkpoint));
  restoreCollector(checkpoint, collector, readJson(checkpoint, COLLECTOR));
}

/** Takes the weights of another run. @throws {CheckpointError} when the parameters are others */
export function loadPolicy(checkpoint: Checkpoint, policy: Policy): void {
  policy.parameters.load(readArrays(checkpoint, WEIGHTS));
}

/** What a collector has counted as a file of a checkpoint. */
export function collectorFiles(collector: Resumable): Files {
  return { [COLLECTOR]: `${JSON.stringify(collector.state())}\n` };
}

/** @throws {CheckpointError} when the state is of another configuration: other wrappers, other instances */
export function restoreCollector(checkpoint: Checkpoint, collector: Resumable, state: unknown): void {
  try {
    collector.restore(state);
  } catch (error) {
    if (error instanceof RollcastError) throw error;
    throw new CheckpointError(
      `${checkpoint.path}/${COLLECTOR} does not fit the run's configuration (${(error as Error).message}). Was config.json changed?`,
    );
  }
}

/** The reverse of `collectorFiles`; undefined in checkpoints of before forecasts had it. */
export function readCollector(checkpoint: Checkpoint): unknown {
  return checkpoint.files[COLLECTOR] && readJson(checkpoint, COLLECTOR);
}

/** The files of a checkpoint of a model for forecasts. */
export function checkpointFiles(
  { model, tokeniser, description }: LoadedModel,
  state: AlgorithmState,
  reference?: DegradationTransformer,
): Files {
  const described = { ...description, model: model.config, tokeniser: tokeniser.config };
  return {
    [WEIGHTS]: encodeSafetensors(model.parameters.save()),
    ...algorithmFiles(state),
    [MODEL]: `${JSON.stringify(described, null, 2)}\n`,
    ...(reference && { [REFERENCE]: encodeSafetensors(reference.parameters.save()) }),
  };
}

/** The state of an algorithm as files of a checkpoint; `readAlgorithmState` reads them. */
function algorithmFiles({ arrays, values }: AlgorithmState): Files {
  return { [OPTIMIZER]: encodeSafetensors(arrays), [STATE]: `${JSON.stringify(values, null, 2)}\n` };
}

/** What a checkpoint says of its model. @throws {CheckpointError} when that is missing or contradicts itself */
export function readDescription(checkpoint: Checkpoint): ModelDescription {
  const parsed = modelFile.safeParse(readJson(checkpoint, MODEL));
  if (!parsed.success) {
    throw new CheckpointError(`${checkpoint.path}/${MODEL} cannot be used: ${zodProblems(parsed.error)}`);
  }
  const description = parsed.data;
  if (description.model.vocabularySize !== description.tokeniser.vocabularySize) {
    throw new CheckpointError(
      `${checkpoint.path}: the model has a vocabulary of ${description.model.vocabularySize} tokens and its tokeniser one of ${description.tokeniser.vocabularySize}.`,
    );
  }
  return description;
}

/**
 * The model of a checkpoint.
 *
 * @param tunedShare - of a fine-tuned one: how far its weights go from those of its reference, 0, to its own, 1
 * @throws {CheckpointError} when a file is missing or does not fit
 */
export function readModel(checkpoint: Checkpoint, tunedShare = 1): LoadedModel {
  const description = readDescription(checkpoint);
  const tokeniser = new Tokeniser(description.tokeniser);
  const model = new DegradationTransformer(description.model);
  loadWeights(model, () => {
    const tuned = readArrays(checkpoint, WEIGHTS);
    return tunedShare === 1 || !checkpoint.files[REFERENCE]
      ? tuned
      : between(readArrays(checkpoint, REFERENCE), tuned, tunedShare);
  });
  return { model, tokeniser, description };
}

/** @throws {ConfigError} when windows are not as long as those that the model was made for */
export function refuseOtherWindows(
  { description }: Pick<LoadedModel, 'description'>,
  { contextLength, horizon }: { readonly contextLength: number; readonly horizon: number },
): void {
  if (contextLength === description.contextLength && horizon === description.horizon) return;
  throw new ConfigError(
    `The run's model reads ${description.contextLength} points and forecasts ${description.horizon}; its data recipe says ${contextLength} and ${horizon}.`,
  );
}

/** The frozen reference of a fine-tuned checkpoint, or undefined when it has none. The caller disposes it. */
export function readReference(
  checkpoint: Checkpoint,
  { description }: LoadedModel,
): DegradationTransformer | undefined {
  if (!checkpoint.files[REFERENCE]) return undefined;
  const reference = new DegradationTransformer(description.model, 0, false);
  loadWeights(reference, () => readArrays(checkpoint, REFERENCE));
  return reference;
}

/** The frozen reference of a checkpoint that must have one. @throws {CheckpointError} when it is missing or does not fit */
export function requireReference(checkpoint: Checkpoint, loaded: LoadedModel): DegradationTransformer {
  file(checkpoint, REFERENCE);
  return readReference(checkpoint, loaded)!;
}

/** The state of the algorithm that was saved. */
export function readAlgorithmState(checkpoint: Checkpoint): AlgorithmState {
  const values = readJson(checkpoint, STATE) as Record<string, unknown>;
  return {
    arrays: readArrays(checkpoint, OPTIMIZER),
    values,
  };
}

/** Which checkpoint of a run to read. */
export type CheckpointChoice = 'latest' | 'best' | number;

/**
 * Opens a run and one of its checkpoints: the one asked for, otherwise the best of a pre-training run and the latest of
 * a fine-tuning run.
 *
 * @throws {CheckpointError} when there is none that is good
 */
export function openRun(
  path: string,
  choice?: CheckpointChoice,
): { run: RunDirectory; checkpoint: Checkpoint } {
  const run = RunDirectory.open(path);
  const usual = run.kind === 'pretrain' ? 'best' : 'latest';
  return { run, checkpoint: new CheckpointStore(run.checkpointFolder).load(choice ?? usual) };
}

/** What a run is of: pre-training, or an environment of some kind. */
export type RunSubject = 'pretrain' | EnvironmentKind;

/** What a run is of, by what its configuration holds. */
export function subjectOf({ kind, config }: RunDirectory): RunSubject {
  if (kind === 'pretrain') return kind;
  return 'instances' in config ? 'step' : 'data' in config ? 'forecast' : 'sequence';
}

/** What a run is called in messages. */
export function runName(subject: RunSubject): string {
  return subject === 'pretrain' ? 'a pre-training run' : `a run on a ${KIND_NAMES[subject]}`;
}

/** Opens the run that another starts from. @throws {ConfigError} when it is of another kind */
export function openStart(
  init: string,
  kind: EnvironmentKind,
): { run: RunDirectory; checkpoint: Checkpoint } {
  const opened = openRun(init);
  const subject = subjectOf(opened.run);
  if (subject !== kind) {
    throw new ConfigError(
      `--init ${init} is ${runName(subject)}; training on a ${KIND_NAMES[kind]} starts from ${runName(kind)}.`,
    );
  }
  return opened;
}

/** Opens a run that forecasts, for judging or using it. @throws {ConfigError} when it is of another kind */
export function openForecastRun(
  path: string,
  choice?: CheckpointChoice,
): { run: RunDirectory; checkpoint: Checkpoint } {
  const subject = subjectOf(RunDirectory.open(path));
  if (subject !== 'pretrain' && subject !== 'forecast') {
    throw new ConfigError(
      `--run ${path} is ${runName(subject)}, which makes no forecasts; name a run of rollcast pretrain, or of rollcast train on a forecast.`,
    );
  }
  return openRun(path, choice);
}

/** (1 − share) · from + share · to, array by array. */
function between(
  from: Readonly<Record<string, NamedArray>>,
  to: Readonly<Record<string, NamedArray>>,
  share: number,
): Record<string, NamedArray> {
  return Object.fromEntries(
    Object.entries(to).map(([name, array]) => {
      const { data } = from[name] ?? array;
      return [name, { ...array, data: array.data.map((x, i) => data[i] + share * (x - data[i])) }];
    }),
  );
}

/** Loads what is read into a model, which is disposed when that fails. */
function loadWeights(model: DegradationTransformer, read: () => Record<string, NamedArray>): void {
  try {
    model.parameters.load(read());
  } catch (error) {
    model.dispose();
    throw error;
  }
}

/** The arrays of a safetensors file. @throws {CheckpointError} when it is missing or damaged */
function readArrays(checkpoint: Checkpoint, name: string): Record<string, NamedArray> {
  return decodeSafetensors(file(checkpoint, name), `${checkpoint.path}/${name}`).arrays;
}

function file(checkpoint: Checkpoint, name: string): Buffer {
  const content = checkpoint.files[name];
  if (!content) throw new CheckpointError(`${checkpoint.path} has no ${name}.`);
  return content;
}

/**
 * A JSON file that a command wrote into a run folder, or undefined where there is none.
 *
 * @param command - the one that writes it
 * @throws {CheckpointError} when it is damaged
 */
export function readWritten<T>(path: string, schema: z.ZodType<T>, command: string): T | undefined {
  if (!existsSync(path)) return undefined;
  const wayOut = `Run rollcast ${command} again, or delete it.`;
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    throw new CheckpointError(`${path} is not JSON. ${wayOut}`);
  }
  const parsed = schema.safeParse(value);
  if (!parsed.success) throw new CheckpointError(`${path} cannot be used: ${zodProblems(parsed.error)}. ${wayOut}`); // prettier-ignore
  return parsed.data;
}

/** A JSON file. @throws {CheckpointError} when it is missing or damaged */
function readJson(checkpoint: Checkpoint, name: string): unknown {
  try {
    return JSON.parse(file(checkpoint, name).toString('utf8'));
  } catch (error) {
    if (error instanceof CheckpointError) throw error;
    throw new CheckpointError(`${checkpoint.path}/${name} is not JSON.`);
  }
}
