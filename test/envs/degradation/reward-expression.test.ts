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
    const sum = parseReward(text).terms.reduce((total, term) => total + (term.evaluate(values) as number), 0);
    expect(sum).toBeAllClose(value, { atol: 1e-12 });
  });
});

describe('terms', () => {
  const split = (text: string) => parseReward(text).terms.map((term) => [term.evaluate(values), term.kind]);

  test('are the summands at the top level, with their signs', () => {
    expect(split('-mse - 0.5*finalError + mae')).toEqual([
      [-4, 'step'],
      [-1.5, 'sequence'],
      [2, 'step'],
    ]);
  });

  test('are found through parentheses and signs', () => {
    expect(split('-(mse - (finalError - mae))')).toEqual([
      [-4, 'step'],
      [3, 'sequence'],
      [-2, 'step'],
    ]);
  });

  test('are not found through products: one per-sequence quantity makes the whole term per sequence', () => {
    expect(split('-0.5*(mse + finalError)')).toEqual([[-3.5, 'sequence']]);
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
    ['-mes', /unknown name "mes" \(column 2\)\.\n {2}-mes\n {3}\^\^\^\nNames: .*Did you mean "mse"\?/],
    ['-mse - msee', /unknown name "msee" \(column 8\)/],
    ['-nonmonotonicity', /Did you mean "nonMonotonicity"\?/],
    ['-mse - 0.1*kl', /unknown name "kl".*\n.*\n.*\n.*--kl-coef/],
    ['-sqr(mse)', /unknown function "sqr" \(column 2\).*\n.*\n.*\nFunctions: .*Did you mean "sqrt"\?/],
    ['-mse(2)', /unknown function "mse"/],
    ['sqrt(mse, 2)', /sqrt takes one value; got 2/],
    ['max()', /max takes two values or more, or one series; got none \(column 1\)/],
    ['mse = 3', /nothing can be assigned or defined; "==" compares \(column 5\)/],
    ['mse; mae', /the operator ";" is not allowed \(column 4\)/],
    ['f(x) = x', /unknown function "f"/],
    ['[mse, mae]', /"\[" is not allowed: lists, ranges and objects do not exist here \(column 1\)/],
    ['mse.constructor', /"\." is not allowed: properties .* \(column 4\)/],
    ['mse["constructor"]', /"\[" is not allowed/],
    ['constructor', /unknown name "constructor"/],
    ['__proto__', /unknown name "__proto__"/],
    ['toString(mse)', /unknown function "toString"/],
    ['import("fs")', /unknown function "import"/],
    ['evaluate("1")', /unknown function "evaluate"/],
    ['mse.toString()', /"\." is not allowed/],
    ['"mse"', /text is not allowed/],
    ['true', /unknown name "true"/],
    ['mse + Infinity', /unknown name "Infinity"/],
    ['mse % 2', /the operator "%" is not allowed \(column 5\)/],
    ['mse!', /the operator "!" is not allowed/],
    ['mse and mae', /the operator "and" is not allowed/],
    ["mse'", /text is not allowed/],
    ['mse .* mae', /"\." is not allowed/],
    ['-target', /does not depend on the forecast/],
    ['-mse - context', /context is a series; make one number of it by mean, .* \(column 8\)/],
    ['-abs(predicted - context)', /context and predicted are series of different lengths.*\(column 18\)/],
    ['-max(finalError)', /max takes two values or more, or one series; got one number \(column 2\)/],
    ['-sqrt', /sqrt is a function: write sqrt\(…\) \(column 2\)/],
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
