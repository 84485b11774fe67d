/** Base of every error that Rollcast raises on purpose: the message alone is enough to act on. */
export class RollcastError extends Error {
  override name = 'RollcastError';
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
  ) {
    super(message);
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
