import { execFile } from 'node:child_process';
import { mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { expect } from '@jest/globals';

import { temporaryFolder } from '../support/temporary.js';
import type { CommandResult } from './support.js';

const bin = fileURLToPath(new URL('../../packages/cli/bin/rollcast.js', import.meta.url));
const several = fileURLToPath(new URL('../support/commands.mjs', import.meta.url));
const modules = fileURLToPath(new URL('../../node_modules/', import.meta.url));

/** A user's folder, in which Rollcast and zod are installed; commands run there in a process of their own. */
export class Project {
  readonly folder = temporaryFolder();

  constructor() {
    mkdirSync(join(this.folder, 'node_modules'));
    mkdirSync(join(this.folder, 'tmp'));
    for (const name of ['@rollcast', 'zod'])
      symlinkSync(join(modules, name), join(this.folder, 'node_modules', name));
  }

  path(...names: string[]): string {
    return join(this.folder, ...names);
  }

  write(file: string, content: string): void {
    mkdirSync(join(this.path(file), '..'), { recursive: true });
    writeFileSync(this.path(file), content);
  }

  rollcast(...args: string[]): Promise<CommandResult> {
    return this.node(bin, ...args);
  }

  /**
   * Several commands, one after the other in one process, which saves most of their time. A file is loaded once there: one
   * that is changed in between needs a process of its own.
   */
  async commands(...lines: readonly (readonly string[])[]): Promise<CommandResult[]> {
    const { code, out, err } = await this.node(several, JSON.stringify(lines));
    if (code !== 0) throw new Error(err);
    return JSON.parse(out) as CommandResult[];
  }

  /** However a process ends, none of the modules that it has compiled is to be left behind. */
  async node(...args: string[]): Promise<CommandResult> {
    const result = await new Promise<CommandResult>((resolve) => {
      const child = execFile(
        process.execPath,
        args,
        { cwd: this.folder, env: { ...process.env, TMPDIR: this.path('tmp') } },
        (_, out, err) => resolve({ code: child.exitCode ?? -1, out, err }),
      );
    });
    expect(readdirSync(this.path('tmp')).filter((name) => name.startsWith('rollcast-'))).toEqual([]);
    return result;
  }
}

/** A line to walk along; \`broken\` is what goes wrong in it, from a step of the instance on. */
export const lineSource = (
  broken = '',
): string => `import { RandomStream, box, defineEnvironment, discrete } from '@rollcast/core';
import { z } from 'zod';
import { move } from './physics.js';

const options = z.strictObject({ size: z.int().min(2).default(5).describe('cells') });

class Line {
  readonly name = 'line';
  readonly observationSpace;
  readonly actionSpace = discrete(2);
  readonly maxEpisodeSteps = 20;
  private at = 0;
  private steps = 0;

  constructor(private readonly size: number) {
    this.observationSpace = box(0, size, [1]);
  }

  reset(seed: number): number[] {
    this.at = new RandomStream(seed, this.name).integer(this.size);
    return [this.at];
  }

  step(action: number) {
    this.steps++;
    ${broken}
    this.at = move(this.at, action, this.size);
    const terminated: boolean = this.at === this.size;
    return { observation: [this.at], reward: terminated ? 1 : -0.1, terminated, truncated: false };
  }
}

export default defineEnvironment({
  description: 'walk to the end of a line',
  options,
  create: ({ size }) => new Line(size),
});
`;

/** What the line imports. */
export const physicsSource = `export const move = (at: number, action: number, size: number): number =>
  Math.max(0, Math.min(size, at + 2 * action - 1));
`;
