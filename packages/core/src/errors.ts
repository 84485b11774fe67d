/** Longest line of a message; what quotes an endless name or cell is shortened in its middle. */
const MAX_LINE = 1000;

/**
 * A name or cell of somebody's file as text that can be shown. Control characters would move a terminal's cursor, break a line
 * or make an SVG invalid; they become `\\x1b`, ends of lines `\\n`.
 */
export function showControls(text: string): string {
  // eslint-disable-next-line no-control-regex
  return text.replace(/[\0-\x1f\x7f-\x9f\u2028\u2029\ufffe\uffff]/g, (character) =>
    character === '\n' ? '\\n' : `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`,
  );
}

function printable(line: string): string {
  const shown = showControls(line);
  return shown.length <= MAX_LINE ? shown : `${shown.slice(0, 700)} … ${shown.slice(-290)}`;
}

/** What an error carries beside its message. */
export interface RollcastErrorOptions {
  /** What was thrown first. */
  readonly cause?: unknown;
  /** Whether line ends in the message stay. @defaultValue 'one' */
  readonly lines?: 'one' | 'several';
}

/**
 * Base of every error that Rollcast raises on purpose: the message alone is enough to act on. It is one line, whatever it quotes;
 * only a `ConfigError` has one for each problem.
 */
export class RollcastError extends Error {
  override name = 'RollcastError';

  constructor(message: string, { lines = 'one', ...options }: RollcastErrorOptions = {}) {
    super(lines === 'one' ? printable(message) : message.split('\n').map(printable).join('\n'), options);
  }
}

/** One thing that is wrong with a configuration. */
export interface ConfigIssue {
  /** Dotted path of the option, for example `ppo.clipRange`; empty for the whole. */
  path: string;
  message: string;
}

/** A configuration, a flag or an option is wrong. `issues` lists every problem found, not only the first. */
export class ConfigError extends RollcastError {
  override name = 'ConfigError';

  constructor(
    message: string,
    readonly issues: ConfigIssue[] = [{ path: '', message }],
    options: RollcastErrorOptions = {},
  ) {
    super(message, { lines: issues.length > 1 ? 'several' : 'one', ...options });
  }
}

/** Two arrays or tensors do not fit together. */
export class ShapeError extends RollcastError {
  override name = 'ShapeError';
}

/** An input file or the values in it cannot be used; the message carries file, line and column where there is one. */
export class DataError extends RollcastError {
  override name = 'DataError';
}

/** An environment broke its contract or was used against it. */
export class EnvironmentError extends RollcastError {
  override name = 'EnvironmentError';
}

/** A name is not registered, or is registered twice. */
export class RegistryError extends RollcastError {
  override name = 'RegistryError';
}

/** A checkpoint or run folder is missing, damaged or of another kind. */
export class CheckpointError extends RollcastError {
  override name = 'CheckpointError';
}

/**
 * A run cannot be written or read now, though the request may be right: the disk is full, the folder read-only or gone, or
 * another process is writing there.
 */
export class StorageError extends CheckpointError {
  override name = 'StorageError';
}

/** A number that must be finite, or an invariant of training, is broken; the message says which and when. */
export class NumericalError extends RollcastError {
  override name = 'NumericalError';
}
