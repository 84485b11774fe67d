import { describe, expect, test } from '@jest/globals';

import {
  ConfigError,
  RandomStream,
  box,
  checkEnvironment,
  checkRules,
  discrete,
  type CheckOptions,
  type CheckRule,
} from '@rollcast/core';

import { VarietyEnvironment } from '../../support/variety-environment.js';
import { groupMistakes } from './group-mistakes.js';
import { sequenceMistakes, soundSequences, soundSteps, stepMistakes, type Mistake } from './mistakes.js';

/** The clock stands still, so that a busy machine is no finding. */
const quick: CheckOptions = { steps: 300, episodes: 5, now: () => 0 };
const found = ({ make, options }: Mistake): [rule: CheckRule, text: string][] =>
  checkEnvironment(make, { ...quick, ...options }).findings.map(({ rule, problem, mend }) => [
    rule,
    `${problem} ${mend}`,
  ]);

describe('a step environment', () => {
  test('that is sound has no findings, and its speed is measured', () => {
    const report = checkEnvironment(soundSteps, quick);
    expect(report).toEqual({
      kind: 'step',
      name: 'walk',
      findings: [],
      perSecond: expect.any(Number) as unknown,
    });
    expect(report.perSecond).toBeGreaterThan(0);
  });

  test.each(stepMistakes)('$what breaks the rule $rule and no other', (mistake) => {
    const findings = found(mistake);
    expect(findings.map(([rule]) => rule)).toEqual([mistake.rule]);
    expect(findings[0][1]).toMatch(mistake.says);
  });
});

describe('a sequence environment', () => {
  test('that is sound has no findings', () => {
    const { kind, name, findings } = checkEnvironment(soundSequences, quick);
    expect({ kind, name, findings }).toEqual({ kind: 'sequence', name: 'sum', findings: [] });
  });

  test.each(sequenceMistakes)('$what breaks the rule $rule and no other', (mistake) => {
    const findings = found(mistake);
    expect(findings.map(([rule]) => rule)).toEqual([mistake.rule]);
    expect(findings[0][1]).toMatch(mistake.says);
  });
});

describe('a sequence environment whose reward compares the sequences of a context', () => {
  test('that is sound has no findings', () => {
    expect(checkEnvironment(() => new VarietyEnvironment(), quick).findings).toEqual([]);
  });

  test.each(groupMistakes)('$what breaks the rule $rule and no other', (mistake) => {
    const findings = found(mistake);
    expect(findings.map(([rule]) => rule)).toEqual([mistake.rule]);
    expect(findings[0][1]).toMatch(mistake.says);
  });
});

test('there is a wrong environment for every rule, of each kind that it is for', () => {
  for (const [kind, mistakes] of [
    ['step', stepMistakes],
    ['sequence', sequenceMistakes],
  ] as const) {
    const rules = Object.entries(checkRules).filter(([, { kinds }]) =>
      (kinds as readonly string[]).includes(kind),
    );
    const shown = new Set(mistakes.map(({ rule }) => rule));
    expect([...shown].sort()).toEqual(rules.map(([rule]) => rule).sort());
  }
});

test('every instance that was made is closed', () => {
  let open = 0;
  checkEnvironment(() => {
    open++;
    return Object.assign(soundSteps(), { close: () => void open-- });
  }, quick);
  expect(open).toBe(0);
});

test('playing ends when the time is over, and what was played is judged', () => {
  let clock = 0;
  let steps = 0;
  const slow = {
    name: 'slow',
    observationSpace: box(0, 1e6),
    actionSpace: discrete(2),
    maxEpisodeSteps: 1000,
    at: 0,
    reset(seed: number) {
      this.at = new RandomStream(seed, this.name).uniform();
      return [this.at];
    },
    step() {
      clock += 100;
      steps++;
      return { observation: [(this.at += 1)], reward: 1, terminated: false, truncated: false };
    },
  };
  const { findings } = checkEnvironment(() => ({ ...slow }), { seconds: 1, now: () => clock });
  expect(steps).toBeLessThan(200); // 11 in a second of 100 ms each, and a few times that for the comparisons
  expect(findings.map(({ rule }) => rule)).toEqual(['speed']);
});

test('options out of range are refused', () => {
  expect(() => checkEnvironment(soundSteps, { episodes: 0 })).toThrow(ConfigError);
});
