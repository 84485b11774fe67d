import { describe, expect, test } from '@jest/globals';

import { ConfigError, parseExpression } from '@rollcast/core';

import { generated, handwritten, type HostileExpression } from './hostile.js';

const options = {
  label: 'reward',
  axis: 'steps',
  variables: {
    a: { description: 'one number' },
    b: { description: 'one number' },
    s: { description: 'a series', axis: 'steps' },
  },
};

const GENERATED = 500;

/** What is wrong with the answer to a hostile expression; nothing when it is refused at the right place. */
function complaint({ text, from, to }: HostileExpression): string | undefined {
  const shown = JSON.stringify(text.slice(0, 80));
  let error: unknown;
  try {
    parseExpression(text, options);
    return `${shown} was accepted`;
  } catch (thrown) {
    error = thrown;
  }
  if (!(error instanceof ConfigError)) return `${shown}: ${String(error)}`;
  const { message } = error;
  const column = Number(/\(column (\d+)\)/.exec(message)?.[1]);
  if (!(column >= from && column <= to))
    return `${shown}: column ${column}, not in ${from} … ${to}\n${message}`;
  const [, line, caret] = message.split('\n');
  const place = caret.indexOf('^');
  const before = line.startsWith('  …') ? 3 : 2 - Math.max(0, column - 1 - (place - 2));
  if (place < 2 || place > line.length || place - before < 0)
    return `${shown}: the caret is astray\n${message}`;
  if (
    line[place] !== undefined &&
    /[\x20-\x7e]/.test(text[column - 1] ?? '') &&
    text[column - 1] !== line[place]
  )
    return `${shown}: the caret is under ${line[place]}\n${message}`;
  if (message.length > 700) return `${shown}: a message of ${message.length} characters`;
  return undefined;
}

describe('what is hostile is refused, and the message points at it', () => {
  test.each(handwritten())('%s', (_, expressions) => {
    expect(expressions.flatMap((expression) => complaint(expression) ?? [])).toEqual([]);
  });

  test(`${GENERATED} generated expressions`, () => {
    const expressions = generated(GENERATED, 6);
    expect(new Set(expressions.map(({ text }) => text)).size).toBeGreaterThan(0.9 * GENERATED);
    expect(expressions.flatMap((expression) => complaint(expression) ?? [])).toEqual([]);
  }, 300_000);
});

test('honest expressions of the same names are not refused', () => {
  for (const text of [
    'a + b',
    '-s*(a > b ? 1 : 2)',
    'mean(s)^2 - max(a, b, 0)',
    'sqrt(abs(a)) / (1 + exp(-b))',
  ])
    expect(() => parseExpression(text, options)).not.toThrow();
});
