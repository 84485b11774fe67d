import { type Registry } from '@rollcast/core';
import { type z } from 'zod';

import { type RLDataset } from './degradation/dataset.js';
import { DegradationEnvironment } from './degradation/environment.js';
import { rewardOptions, type RewardOptions } from './degradation/reward.js';
import { type ValueTokeniser } from './degradation/tokeniser.js';

/** What an environment of this package is made from: windows of data and the tokeniser of the checkpoint. */
export interface SequenceEnvironmentParts {
  readonly dataset: RLDataset;
  readonly tokeniser: ValueTokeniser;
}

/** An environment that users pick by name. */
export interface SequenceEnvironmentEntry {
  readonly description: string;
  /** Schema of the options, for `--help` and configuration files. */
  readonly options: z.ZodType;
  create(parts: SequenceEnvironmentParts, options?: RewardOptions): DegradationEnvironment;
}

/** Adds the environments of this package; importing the package registers nothing. */
export function registerEnvironments(registry: Registry<SequenceEnvironmentEntry>): void {
  registry.register('degradation', {
    description: 'continue a degradation history by L points; rewarded on the whole trajectory',
    options: rewardOptions,
    create: ({ dataset, tokeniser }, options) => new DegradationEnvironment(dataset, tokeniser, options),
  });
}
