import { describe, expect, test } from '@jest/globals';

import { ConfigError } from '@rollcast/core';
import { parseReward, type QuantityValues } from '@rollcast/envs';

import { errorOf } from './support.js';

const values: QuantityValues = { mse: 4, mae: 2, nonMonotonicity: 0.5, finalError: 3 };

describe('what an expression means', () => {
  const cases: [text: string, value: number][] = [
    ['-mse', -4],
    ['-mse - 0.2*nonMonotonicity', -4.1],
    ['-(mse + finalError)/2', -3.5],
    ['-mse^2', -16], // the sign binds less than the power
    ['2 mse', 8],
    ['max(-1, -mse, -mae)', -1],
    ['min(mse, 1) + abs(-mae)', 3],
    ['sqrt(mse) + square(mae) + exp(0*mse) + log(1) + tanh(0)', 7],
    ['mse > 3 ? -1 : 1', -1],
    ['mse == 4', 1],
    ['1 < mae < 2 ? 5 : -finalError', -3],
    ['-mse * (nonMonotonicity <= 0.5)', -4],
    ['+mae - -mae', 4],
  ];
  test.each(cases)('%s', (text, value) => {
    expect(parseReward(text).evaluate(values)).toBeAllClose(value, { atol: 1e-12 });
  });

  test.each(cases)('the terms of %s add up to it', (text, value) => {
    const sum = parseReward(text).terms.reduce((total, term) => total + term.evaluate(values), 0);
    expect(sum).toBeAllClose(value, { atol: 1e-12 });
  });
});

describe('terms', () => {
  const split = (text: string) =>
    parseReward(text).terms.map((term) => [term.evaluate(values), term.perStep]);

  test('are the summands at the top level, with their signs', () => {
    expect(split('-mse - 0.5*finalError + mae')).toEqual([
      [-4, true],
      [-1.5, false],
      [2, true],
    ]);
  });

  test('are found through parentheses and signs', () => {
    expect(split('-(mse - (finalError - mae))')).toEqual([
      [-4, true],
      [3, false],
      [-2, true],
    ]);
  });

  test('are not found through products: one per-sequence quantity makes the whole term per sequence', () => {
    expect(split('-0.5*(mse + finalError)')).toEqual([[-3.5, false]]);
  });

  test('quantities are listed once, in a fixed order', () => {
    expect(parseReward('-finalError - mse - mse^2').quantities).toEqual(['mse', 'finalError']);
  });
});

describe('what is not allowed is a ConfigError that points at the place', () => {
  const cases: [text: string, message: RegExp][] = [
    ['', /the expression is empty/],
    ['  ', /the expression is empty/],
    ['1', /does not depend on the forecast/],
    ['-mse -', /Unexpected end of expression \(column 7\)/],
    ['(mse', /Parenthesis \) expected \(column 5\)/],
    [
      '-mes',
      /unknown quantity "mes" \(column 2\)\.\n {2}-mes\n {3}\^\^\^\nQuantities: .*Did you mean "mse"\?/,
    ],
    ['-mse - msee', /unknown quantity "msee" \(column 8\)/],
    ['-nonmonotonicity', /Did you mean "nonMonotonicity"\?/],
    ['-mse - 0.1*kl', /unknown quantity "kl".*\n.*\n.*\n.*--kl-coef/],
    ['-sqr(mse)', /unknown function "sqr" \(column 2\).*\n.*\n.*\nFunctions: .*Did you mean "sqrt"\?/],
    ['-mse(2)', /unknown function "mse"/],
    ['sqrt(mse, 2)', /sqrt takes one value; got 2/],
    ['max()', /max takes at least one value; got 0|does not depend/],
    ['mse = 3', /only numbers, quantities/],
    ['mse; mae', /only numbers, quantities/],
    ['f(x) = x', /only numbers, quantities/],
    ['[mse, mae]', /only numbers, quantities/],
    ['mse.constructor', /only numbers, quantities/],
    ['mse["constructor"]', /only numbers, quantities/],
    ['constructor', /unknown quantity "constructor"/],
    ['__proto__', /unknown quantity "__proto__"/],
    ['toString(mse)', /unknown function "toString"/],
    ['import("fs")', /unknown function "import"/],
    ['evaluate("1")', /unknown function "evaluate"/],
    ['mse.toString()', /unknown function/],
    ['"mse"', /"mse" is not a number/],
    ['true', /true is not a number/],
    ['mse + Infinity', /not a number/],
    ['mse % 2', /the operator "%" is not allowed \(column 5\)/],
    ['mse!', /the operator "!" is not allowed/],
    ['mse and mae', /the operator "and" is not allowed/],
    ["mse'", /the operator "'" is not allowed/],
    ['mse .* mae', /the operator "\.\*" is not allowed/],
    ['mse + '.repeat(300) + 'mse', /at most 1000 characters/],
  ];
  test.each(cases)('%j', (text, message) => {
    const error = errorOf(() => parseReward(text));
    expect(error).toBeInstanceOf(ConfigError);
    expect(error.message).toMatch(message);
  });

  test('deep nesting within the length is parsed or refused, never a crash', () => {
    const depth = 499;
    const text = '('.repeat(depth) + 'm' + ')'.repeat(depth);
    expect(errorOf(() => parseReward(text))).toBeInstanceOf(ConfigError);
  });
});
