import { PassThrough } from 'node:stream';

import { expect, test } from '@jest/globals';

import { formatDuration, progress } from '../../../packages/cli/src/progress.js';

/** A display whose clock is set by hand. */
function display(total: number, { isTTY = false, from = 0 } = {}) {
  const stream = Object.assign(new PassThrough(), { isTTY, columns: 100 });
  const clock = { ms: 0 };
  const shown = progress({ label: 'training', total, from, unit: 'updates', stream, now: () => clock.ms });
  const text = () => String(stream.read() ?? '');
  const at = (ms: number, n: number, info?: string) => {
    clock.ms = ms;
    shown.tick(n, info);
  };
  return { at, text, done: () => shown.done() };
}

test('work under two seconds shows nothing', () => {
  for (const isTTY of [false, true]) {
    const { at, text, done } = display(3, { isTTY });
    at(500, 1);
    at(1900, 3);
    done();
    expect(text()).toBe('');
  }
});

test('without a terminal there is a plain line every few seconds, with rate and time left', () => {
  const { at, text, done } = display(200);
  at(2000, 20, 'reward -0.12');
  expect(text()).toBe('training: 20/200 updates, 10/s, 18 s left, reward -0.12\n');
  at(4000, 40);
  expect(text()).toBe('');
  at(8000, 80);
  expect(text()).toBe('training: 80/200 updates, 10/s, 12 s left\n');
  at(20000, 200);
  text();
  done();
  expect(text()).toBe('training: 200/200 updates in 20 s, 10/s\n');
});

test('on a terminal there is a bar with rate and time left', () => {
  const { at, text, done } = display(200, { isTTY: true });
  at(4000, 100, 'reward -0.5');
  done();
  const shown = text();
  expect(shown).toContain('training');
  expect(shown).toContain('100/200 updates, 25/s');
  expect(shown).toContain('reward -0.5');
  expect(shown).toContain('█');
});

test('a run that goes on counts only its own updates for rate and time left', () => {
  const { at, text, done } = display(200, { from: 100 });
  at(2000, 120);
  // 20 updates in 2 s; 80 more to go
  expect(text()).toBe('training: 120/200 updates, 10/s, 8 s left\n');
  at(10000, 200);
  text();
  done();
  expect(text()).toBe('training: 200/200 updates in 10 s, 10/s\n');
});

test.each([
  [45.2, '45 s'],
  [59.7, '1 min 00 s'],
  [200, '3 min 20 s'],
  [7500, '2 h 05 min'],
])('%p seconds are written %s', (seconds, text) => {
  expect(formatDuration(seconds)).toBe(text);
});
