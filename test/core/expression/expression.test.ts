import { describe, expect, test } from '@jest/globals';

import { ConfigError, expressionLimits, parseExpression, type ExpressionScope } from '@rollcast/core';

const variables = {
  level: { description: 'one number' },
  speed: { description: 'one number a step', axis: 'steps' },
  gear: { description: 'one number a step', axis: 'steps' },
  past: { description: 'one number a past step', axis: 'past' },
};
const scope: ExpressionScope = {
  level: 2,
  speed: Float64Array.of(1, -2, 3),
  gear: Float64Array.of(1, 2, 2),
  past: Float64Array.of(10, 20),
};
const parse = (text: string) => parseExpression(text, { variables, axis: 'steps' });
const evaluate = (text: string) => parse(text).evaluate(scope);

describe('what an expression means', () => {
  test('a number stands at every step of a series', () => {
    expect(evaluate('level*speed + 1')).toBeAllClose([3, -3, 7]);
  });

  test('functions and comparisons go step by step', () => {
    expect(evaluate('max(0, speed, gear - 1)')).toBeAllClose([1, 1, 3]);
    expect(evaluate('0 < speed < gear + 1')).toBeAllClose([1, 0, 0]);
    expect(evaluate('speed < 0 ? -1 : gear')).toBeAllClose([1, -1, 2]);
  });

  test('mean, sum, min, max, first and last make one number of a series', () => {
    expect(evaluate('mean(speed)')).toBeAllClose(2 / 3);
    expect(evaluate('sum(past) - min(speed)')).toBeAllClose(32);
    expect(evaluate('max(past)')).toBe(20);
    expect(evaluate('first(past) - last(past)')).toBe(-10);
    expect(evaluate('speed - mean(past)')).toBeAllClose([-14, -17, -12]);
  });

  test('a conditional does not choose what is not a number', () => {
    expect(evaluate('speed > 0 ? log(speed) : 0')).toBeAllClose([0, 0, Math.log(3)], { atol: 1e-12 });
  });

  test('names outside of reductions are told apart from those inside', () => {
    const { names, unreduced, axis } = parse('level*mean(speed) + gear');
    expect([...names].sort()).toEqual(['gear', 'level', 'speed']);
    expect([...unreduced].sort()).toEqual(['gear', 'level']);
    expect(axis).toBe('steps');
    expect(parse('mean(speed)').axis).toBeUndefined();
  });
});

describe('cost', () => {
  /** How often the values of names are asked for in one evaluation. */
  const reads = (text: string): number => {
    let count = 0;
    const counting = new Proxy(scope, {
      get(target, name: string) {
        count += 1;
        return target[name];
      },
    });
    parse(text).evaluate(counting);
    return count;
  };

  test('each name is read once, also inside of nested reductions', () => {
    expect(reads('speed*mean(speed*mean(speed*mean(speed*mean(speed))))')).toBe(5);
    expect(reads('speed + gear - speed')).toBe(3);
  });

  test('parsing alone evaluates nothing', () => {
    expect(() => parse('mean(speed)/0').evaluate(scope)).not.toThrow();
    expect(parse('level/0').evaluate(scope)).toBe(Infinity);
  });

  test('what is as large and as deep as allowed is evaluated', () => {
    const { depth, tokens } = expressionLimits;
    expect(evaluate(`${'('.repeat(depth)}level${')'.repeat(depth)}`)).toBe(2);
    expect(evaluate(`level${' + 1'.repeat((tokens - 1) / 2)}`)).toBe(2 + Math.floor((tokens - 1) / 2));
    expect(evaluate(`${'-'.repeat(tokens - 2)}level`)).toBe(2);
    expect(evaluate(`1${'^1'.repeat((tokens - 3) / 2)}*level`)).toBe(2);
    expect(evaluate(`${'level > 3 ? 1 : '.repeat(depth)}2`)).toBe(2);
  });
});

test('a long expression is shown around the place', () => {
  expect(() => parse(`${'level + '.repeat(20)}levle${' + level'.repeat(20)}`)).toThrow(
    new RegExp(`column 161\\)\\.\\n {2}….{60}levle.{35}…\\n {63}\\^{5}\\nNames: .*Did you mean "level"\\?$`),
  );
});

test('characters that would move the caret are shown as dots', () => {
  expect(() => parse('level\u200b\u202e + gear')).toThrow(
    /U\+200B is not allowed \(column 6\)\.\n {2}level·· \+/,
  );
});

test('an empty expression is a ConfigError', () => {
  expect(() => parse(' ')).toThrow(ConfigError);
});
