import { jest } from '@jest/globals';

import { main } from '@rollcast/cli';

/** What a command printed and how it ended. */
export interface CommandResult {
  code: number;
  out: string;
  err: string;
}

/** Runs one command line in this process, as a terminal that is none would see it. */
export async function rollcast(...args: string[]): Promise<CommandResult> {
  const result = { code: -1, out: '', err: '' };
  const capture = (stream: 'out' | 'err') => (text: unknown) => {
    result[stream] += String(text);
    return true;
  };
  const line = (stream: 'out' | 'err') => (text: unknown) => void capture(stream)(`${String(text)}\n`);
  const spies = [
    jest.spyOn(process.stdout, 'write').mockImplementation(capture('out')),
    jest.spyOn(process.stderr, 'write').mockImplementation(capture('err')),
    jest.spyOn(console, 'log').mockImplementation(line('out')),
    jest.spyOn(console, 'error').mockImplementation(line('err')),
  ];
  try {
    result.code = await main(args);
  } finally {
    for (const spy of spies) spy.mockRestore();
    process.exitCode = 0;
  }
  return result;
}

/** A CSV of falling, slightly noisy histories: `units` cells of `length` cycles. */
export function cellsCsv(units: number, length: number): string {
  const rows = ['cell,cycle,capacity_ah'];
  for (let u = 0; u < units; u++) {
    for (let i = 0; i < length; i++) {
      const wobble = 0.002 * Math.sin(12.9898 * i + 78.233 * u);
      rows.push(`cell-${u},${i + 1},${(1.1 - (0.0008 + 0.0002 * u) * i + wobble).toFixed(6)}`);
    }
  }
  return `${rows.join('\n')}\n`;
}
