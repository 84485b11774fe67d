import { mkdirSync, readFileSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { expect, test } from '@jest/globals';

import { CheckpointError, writeFileAtomically, writeFolderAtomically } from '@rollcast/core';

import { recoverFolder } from '../../../packages/core/src/run/atomic.js';
import { temporaryFolder } from '../../support/temporary.js';

test('a file is replaced and nothing else is left in the folder', () => {
  const folder = temporaryFolder();
  writeFileAtomically(join(folder, 'a.json'), 'one');
  writeFileAtomically(join(folder, 'a.json'), Buffer.from('two'));
  expect(readFileSync(join(folder, 'a.json'), 'utf8')).toBe('two');
  expect(readdirSync(folder)).toEqual(['a.json']);
});

test('a folder is replaced as a whole: files of the old one are gone', () => {
  const folder = temporaryFolder();
  writeFolderAtomically(join(folder, 'x'), { a: '1', b: '2' });
  writeFolderAtomically(join(folder, 'x'), { c: '3' });
  expect(readdirSync(join(folder, 'x'))).toEqual(['c']);
  expect(readdirSync(folder)).toEqual(['x']);
});

test('a failed write leaves the old folder as it was and cleans up', () => {
  const folder = temporaryFolder();
  writeFolderAtomically(join(folder, 'x'), { a: '1' });
  expect(() => writeFolderAtomically(join(folder, 'x'), { a: '2', 'no/such/folder': '3' })).toThrow(
    CheckpointError,
  );
  expect(readdirSync(folder)).toEqual(['x']);
  expect(readFileSync(join(folder, 'x', 'a'), 'utf8')).toBe('1');
});

test('a missing parent is reported with the path and the reason', () => {
  const path = join(temporaryFolder(), 'gone', 'a.json');
  expect(() => writeFileAtomically(path, '')).toThrow(
    `Cannot write ${path}: no such file or folder (ENOENT).`,
  );
});

test('what a killed process left is cleared, and a folder it was about to replace comes back', () => {
  const folder = temporaryFolder();
  mkdirSync(join(folder, '.x.aside-12-0'));
  writeFileSync(join(folder, '.best.json.aside-12-1'), '');
  mkdirSync(join(folder, '.y.removed-12-2'));
  writeFolderAtomically(join(folder, 'x'), { a: '1' });
  renameSync(join(folder, 'x'), join(folder, '.x.replaced'));
  recoverFolder(folder);
  expect(readdirSync(folder)).toEqual(['x']);
});
