import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';

import { listenForInterrupt } from '../../packages/cli/src/interrupt.js';

let now = 0;
/** Nothing runs after it, as after the real one. */
const exit = jest.fn((_code: number) => {
  throw new Error('ended');
});
const second = (signal: 'SIGINT' | 'SIGTERM') => () => process.emit(signal);

beforeEach(() => {
  now = 1000;
  exit.mockClear();
  jest.spyOn(performance, 'now').mockImplementation(() => now);
  jest.spyOn(process, 'exit').mockImplementation(exit as unknown as typeof process.exit);
  jest.spyOn(console, 'error').mockImplementation(() => undefined);
});
afterEach(() => {
  jest.restoreAllMocks();
  process.exitCode = 0;
});

test.each([
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const)('%s asks for a stop once, and a second one ends the process at once with %i', (signal, code) => {
  const onFirst = jest.fn();
  const interrupt = listenForInterrupt(onFirst);
  expect(interrupt.signal).toBeUndefined();
  process.emit(signal);
  expect(interrupt.signal).toBe(signal);
  now += 299; // npm passes on what the terminal has sent already: one press
  process.emit(signal);
  expect(exit).not.toHaveBeenCalled();
  now += 1;
  expect(second(signal)).toThrow('ended');
  expect(exit.mock.calls).toEqual([[code]]);
  expect(onFirst).toHaveBeenCalledTimes(1);
  interrupt.release();
  expect(process.exitCode).toBe(code);
});

test('another signal is a second one, however soon', () => {
  const interrupt = listenForInterrupt(() => undefined);
  process.emit('SIGINT');
  expect(second('SIGTERM')).toThrow('ended');
  expect(exit.mock.calls).toEqual([[143]]);
  interrupt.release();
});

test('work that nobody interrupted keeps its exit code, and nothing listens any more', () => {
  const before = process.listenerCount('SIGINT');
  const interrupt = listenForInterrupt(() => undefined);
  expect(process.listenerCount('SIGINT')).toBe(before + 1);
  interrupt.release();
  expect(process.listenerCount('SIGINT')).toBe(before);
  expect(process.exitCode).toBe(0);
});
