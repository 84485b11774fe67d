/** What `checkEnvironment` looks at: one line a rule. */

interface Rule {
  /** An error breaks training or its results; a warning is worth a look. */
  readonly severity: 'error' | 'warning';
  readonly kinds: readonly ('step' | 'sequence')[];
  /** What must hold. */
  readonly demand: string;
}

const step = (severity: Rule['severity'], demand: string): Rule => ({ severity, kinds: ['step'], demand });
const sequence = (severity: Rule['severity'], demand: string): Rule => ({
  severity,
  kinds: ['sequence'],
  demand,
});
const both = (severity: Rule['severity'], demand: string): Rule => ({
  severity,
  kinds: ['step', 'sequence'],
  demand,
});

/** Every rule by its id. */
export const checkRules = {
  create: both('error', 'an instance can be made'),
  contract: both('error', 'every part of the contract is there'),
  name: both('error', 'the name is a text'),
  speed: both('warning', 'a step or token does not take longer than what is learned from it'),
  'reward-scale': both('warning', 'rewards are neither huge nor tiny'),
  'reward-finite': both('error', 'every reward is a finite number'),

  spaces: step('error', 'spaces are made by discrete, multiDiscrete or box'),
  'spaces-fixed': step('error', 'all instances have the same spaces'),
  'action-bounds': step(
    'error',
    'every number of an action has finite bounds, the low one below the high one',
  ),
  'max-episode-steps': step('error', 'maxEpisodeSteps is an integer ≥ 1'),
  'state-pair': step('error', 'state and restore come together'),
  'in-place-pair': step('error', 'resetInto and stepInto come together'),
  reset: step('error', 'reset(seed) starts an episode'),
  'reset-after-end': step('error', 'reset(seed) starts an episode also after one has ended'),
  step: step('error', 'step takes every action of the action space'),
  synchronous: step('error', 'reset and step return values, not promises'),
  'observation-shape': step('error', 'an observation has the form and size of its space'),
  'observation-dtype': step('error', 'an observation is made of numbers'),
  'observation-finite': step('error', 'an observation is finite, also as float32'),
  'observation-range': step('error', 'an observation lies within its space'),
  'observation-copied': step('warning', 'an observation that was handed over does not change later'),
  'observation-varies': step('warning', 'observations differ from each other'),
  'observation-scale': step('warning', 'observations are not huge'),
  'step-result': step('error', 'step returns observation, reward, terminated and truncated'),
  'reward-number': step('error', 'a reward is a number'),
  'reward-seen': step('warning', 'random actions find some reward'),
  'end-flags': step('error', 'terminated and truncated are booleans'),
  'one-end': step('error', 'an episode is terminated or truncated, not both'),
  'time-limit': step('warning', 'a time limit truncates and does not terminate'),
  ends: step('error', 'episodes end, or maxEpisodeSteps cuts them'),
  info: step('error', 'info is made of finite numbers'),
  'action-kept': step('error', 'step leaves the action as it is'),
  deterministic: step('error', 'the same seed and the same actions give the same episode'),
  'reset-leftover': step('error', 'nothing of one episode is left in the next'),
  'instances-independent': step('error', 'instances do not share what changes'),
  'state-json': step('error', 'state is plain JSON'),
  'restore-exact': step('error', 'an episode goes on from its state bit for bit'),
  'in-place-agrees': step('error', 'resetInto and stepInto give what reset and step give'),

  sizes: sequence(
    'error',
    'vocabularySize is an integer ≥ 2, contextLength, horizon and minSamplesPerContext are integers ≥ 1',
  ),
  sample: sequence('error', 'sample draws contexts'),
  'sample-size': sequence('error', 'sample(B) gives B contexts of W tokens'),
  'sample-dtype': sequence('error', 'contextTokens is an Int32Array'),
  'token-range': sequence('error', 'tokens are 0 … V−1'),
  'sample-deterministic': sequence('error', 'contexts depend on the given random stream alone'),
  'reward-call': sequence('error', 'reward scores every sequence of tokens'),
  'reward-form': sequence('error', 'reward returns { reward, components }'),
  'reward-length': sequence('error', 'a reward has one number a sequence, or one a step'),
  'components-named': sequence('error', 'components have names that a metric can have'),
  'component-length': sequence('error', 'a component has one number a sequence, or one a step'),
  'component-finite': sequence('error', 'every component is finite'),
  'reward-deterministic': sequence('error', 'the same tokens get the same reward'),
  'inputs-kept': sequence('error', 'reward leaves the batch and the generated tokens as they are'),
  permutation: sequence('error', 'a batch in another order gets its rewards in that order'),
  'rows-independent': sequence(
    'error',
    'the reward of a sequence does not depend on the other contexts of its batch',
  ),
  'reward-varies': sequence('warning', 'random sequences are not all worth the same'),
  repeat: sequence('error', 'repeat gives each row of a batch several times, one after the other'),
  'repeat-missing': sequence('warning', 'a batch that holds more than contexts can be repeated'),
  view: sequence('error', 'view gives the context, the target and the prediction of a row'),
} as const satisfies Record<string, Rule>;

/** The id of a rule. */
export type CheckRule = keyof typeof checkRules;

/** One thing that is wrong with an environment. */
export interface Finding {
  readonly rule: CheckRule;
  readonly severity: 'error' | 'warning';
  /** What is wrong, with where and what was seen. */
  readonly problem: string;
  /** What to change. */
  readonly mend: string;
}

/** Gathers findings, the first of each rule. */
export class Findings {
  private readonly byRule = new Map<CheckRule, Finding>();

  add(rule: CheckRule, problem: string, mend: string): void {
    if (this.byRule.has(rule)) return;
    this.byRule.set(rule, { rule, severity: checkRules[rule].severity, problem, mend });
  }

  get all(): Finding[] {
    return [...this.byRule.values()];
  }

  /** Whether anything was found that makes further checks meaningless. */
  get broken(): boolean {
    return this.all.some(({ severity }) => severity === 'error');
  }
}

/** What was thrown, in one line. */
export function thrown(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n')[0];
}

/** A value for a message: short, in one line. */
export function shown(value: unknown): string {
  if (typeof value === 'number' || typeof value === 'bigint' || value === undefined) return String(value);
  if (value instanceof Promise) return 'a promise';
  if (typeof value === 'function') return 'a function';
  if (ArrayBuffer.isView(value)) return `${value.constructor.name} of ${(value as Float32Array).length}`;
  const text = JSON.stringify(value) ?? typeof value;
  return text.length > 80 ? `${text.slice(0, 77)}…` : text;
}
