/** Trainings that are small enough to be repeated hundreds of times, one of each kind that matters. */

const tinyModel = ['model.width=8', 'model.heads=2', 'model.layers=1', 'tokeniser.vocabularySize=32'].flatMap(
  (setting) => ['--set', setting],
);

/** `--out` is left to the caller. */
export const smallPretraining: readonly string[] = [
  'pretrain',
  ...[
    '--simulator',
    'knee',
    '--units',
    '5',
    '--context',
    '12',
    '--horizon',
    '8',
    '--steps',
    '120',
    '--batch-size',
    '4',
    '--seed',
    '1',
  ],
  ...tinyModel,
];

/** @param updates - even; each is followed by a checkpoint */
export function smallCartPole(algo: string, updates: number): string[] {
  return [
    ...['train', '--env', 'cart-pole-v1', '--algo', algo, '--seed', '3', '--checkpoint-every', '1'],
    ...['--instances', '2', '--steps-per-rollout', '32', '--steps', String(64 * updates)],
    ...['--set', 'policy.hidden=[8]', '--set', 'collect.normaliseObservations=true'],
  ];
}

/** @param init - a finished run of `smallPretraining` */
export function smallForecast(algo: string, updates: number, init: string): string[] {
  return [
    ...['train', '--init', init, '--algo', algo, '--seed', '3', '--checkpoint-every', '1'],
    ...['--batch-size', '4', '--updates', String(updates), '--plot-every', '1000', '--kl-target', '0.01'],
    ...(algo === 'ppo' ? ['--set', 'ppo.minibatchSize=2'] : []),
  ];
}
