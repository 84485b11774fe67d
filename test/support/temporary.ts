import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll } from '@jest/globals';

const folders: string[] = [];

const IN_MEMORY = '/dev/shm';

/**
 * An empty folder that is removed when the tests of the file are over.
 *
 * @param inMemory - where the system has such a place (Linux); for thousands of small runs, most of whose time is waiting
 *   for the disk
 */
export function temporaryFolder({ inMemory = false } = {}): string {
  const parent = inMemory && existsSync(IN_MEMORY) ? IN_MEMORY : tmpdir();
  const folder = mkdtempSync(join(parent, 'rollcast-test-'));
  folders.push(folder);
  return folder;
}

afterAll(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});
