import { mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { expect, test } from '@jest/globals';

import { CheckpointError, CheckpointStore, RandomStream } from '@rollcast/core';

import { temporaryFolder } from '../../support/temporary.js';

const files = (text: string) => ({ 'model.safetensors': Buffer.from([1, 2, 3]), 'state.json': text });

function storeWith(...updates: number[]): CheckpointStore {
  const store = new CheckpointStore(join(temporaryFolder(), 'checkpoints'));
  for (const update of updates) store.save(update, files(`state ${update}`));
  return store;
}

test('what was saved is loaded: the latest, or the one asked for', () => {
  const store = storeWith(100, 200);
  const latest = store.load('latest');
  expect(latest.update).toBe(200);
  expect(latest.path).toBe(join(store.folder, 'update-000200'));
  expect(latest.files['state.json'].toString()).toBe('state 200');
  expect([...latest.files['model.safetensors']]).toEqual([1, 2, 3]);
  expect(store.load(100).files['state.json'].toString()).toBe('state 100');
});

test('the last K and the best are kept', () => {
  const store = new CheckpointStore(temporaryFolder(), { keepLast: 2 });
  for (const update of [1, 2, 3, 4, 5]) store.save(update, files(''), { best: update === 2 });
  expect(store.list()).toEqual([2, 4, 5]);
  expect(store.best()).toBe(2);
  expect(store.load('best').update).toBe(2);
  store.save(6, files(''), { best: true });
  expect(store.list()).toEqual([5, 6]);
});

test('without a best one, the best is the latest', () => {
  expect(storeWith(1, 2).load('best').update).toBe(2);
});

test('equal files give equal bytes on the disk', () => {
  const bytes = () => readFileSync(join(storeWith(7).folder, 'update-000007', 'manifest.json'));
  expect(bytes().equals(bytes())).toBe(true);
});

test('saving the same update again replaces the checkpoint', () => {
  const store = storeWith(5);
  store.save(5, files('again'));
  expect(store.load(5).files['state.json'].toString()).toBe('again');
  expect(readdirSync(store.folder)).toEqual(['update-000005']);
});

test('a folder without checkpoints, and an update without one, are named', () => {
  expect(() => storeWith().load('latest')).toThrow(/There is no checkpoint in .*checkpoints\./);
  expect(() => storeWith(1, 2).load(7)).toThrow(
    /update-000007 is missing\. The last good checkpoint is update-000002\./,
  );
});

test('a changed, shortened or missing file is named, and so is the previous good checkpoint', () => {
  const store = storeWith(100, 200, 300);
  const damage = (update: string, file: string, content: string) =>
    writeFileSync(join(store.folder, update, file), content);
  damage('update-000300', 'state.json', 'State 300');
  damage('update-000200', 'state.json', 'st');
  expect(() => store.load('latest')).toThrow(CheckpointError);
  expect(() => store.load('latest')).toThrow(
    /update-000300\/state\.json is damaged: its SHA-256 .* The last good checkpoint is update-000100\./,
  );
  expect(() => store.load(200)).toThrow(/update-000200\/state\.json is damaged: 2 bytes instead of 9\./);
  rmSync(join(store.folder, 'update-000100', 'model.safetensors'));
  expect(() => store.load(100)).toThrow(
    /update-000100\/model\.safetensors is missing\. No other checkpoint is good\./,
  );
});

test('a checkpoint of another format version says so', () => {
  const store = storeWith(1);
  const manifest = join(store.folder, 'update-000001', 'manifest.json');
  writeFileSync(manifest, readFileSync(manifest, 'utf8').replace('"formatVersion": 1', '"formatVersion": 2'));
  expect(() => store.load('latest')).toThrow(/manifest\.json is of checkpoint format 2; .* reads format 1/);
});

test('a damaged mark of the best is noticed, and saving goes on', () => {
  const store = storeWith(10, 11);
  store.save(12, files(''), { best: true });
  const mark = join(store.folder, 'best.json');
  writeFileSync(mark, readFileSync(mark, 'utf8').replace('"update": 12', '"update": 11'));
  expect(() => store.load('best')).toThrow(
    /best\.json is damaged.* The last good checkpoint is update-000012\./,
  );
  store.save(13, files(''));
  expect(store.list()).toEqual([11, 12, 13]);
});

test('any of 1 000 changes is noticed and named: a byte flipped, a file cut off or removed; a run goes on from the one before', () => {
  const store = new CheckpointStore(temporaryFolder());
  store.save(1, files('one'));
  store.save(2, files('two'), { best: true });
  const random = new RandomStream(3, 'checkpoint-damage');
  const names = ['model.safetensors', 'state.json', 'manifest.json'];
  const paths = names
    .map((name) => join(store.folder, 'update-000002', name))
    .concat(join(store.folder, 'best.json'));
  for (let i = 0; i < 1000; i++) {
    const path = paths[random.integer(paths.length)];
    const good = readFileSync(path);
    const how = random.integer(5);
    if (how === 0) rmSync(path);
    else if (how === 1) writeFileSync(path, good.subarray(0, random.integer(good.length)));
    else {
      const bad = Buffer.from(good);
      bad[random.integer(bad.length)] ^= 1 + random.integer(255);
      writeFileSync(path, bad);
    }
    if (path.endsWith('best.json')) {
      if (how > 0) expect(() => store.load('best')).toThrow(path);
      expect(store.loadLatestGood(() => undefined)!.update).toBe(2); // a mark is not needed to go on
    } else {
      expect(() => store.load('best')).toThrow(CheckpointError);
      const messages: string[] = [];
      try {
        expect(store.loadLatestGood((message) => messages.push(message))!.update).toBe(1);
        expect(messages).toHaveLength(1);
        expect(messages[0]).toContain(path);
        expect(messages[0]).toMatch(/ Going on from the last good checkpoint, update-000001\.$/);
      } catch (error) {
        // the one flip that reads as another version: refused and not passed over
        expect((error as Error).message).toMatch(/manifest\.json is of checkpoint format \d+; this version/);
      }
    }
    writeFileSync(path, good);
  }
  expect(store.load('best').update).toBe(2);
});

test('a run goes on from nothing when there never was a checkpoint, and is refused when none is good', () => {
  expect(storeWith().loadLatestGood(() => undefined)).toBeUndefined();
  const store = storeWith(1, 2);
  for (const update of ['update-000001', 'update-000002']) rmSync(join(store.folder, update, 'state.json'));
  expect(() => store.loadLatestGood(() => undefined)).toThrow(
    /update-000002.state\.json is missing\. No other checkpoint is good; start anew with --force/,
  );
});

test('a newer format is never passed over, even where an older checkpoint is good', () => {
  const store = storeWith(1, 2);
  const manifest = join(store.folder, 'update-000002', 'manifest.json');
  writeFileSync(manifest, readFileSync(manifest, 'utf8').replace('"formatVersion": 1', '"formatVersion": 2'));
  expect(() => store.loadLatestGood(() => undefined)).toThrow(/is of checkpoint format 2/);
  expect(store.list()).toEqual([1, 2]);
});

test('another checkpoint can be marked as the best, a damaged one cannot', () => {
  const store = storeWith(1, 2);
  store.markBest(1);
  expect(store.load('best').update).toBe(1);
  rmSync(join(store.folder, 'update-000002', 'state.json'));
  expect(() => store.markBest(2)).toThrow(/state\.json is missing/);
});

test('a process killed while it replaced a checkpoint leaves it readable', () => {
  const store = storeWith(1);
  renameSync(join(store.folder, 'update-000001'), join(store.folder, '.update-000001.replaced'));
  mkdirSync(join(store.folder, '.update-000001.aside-99-0'));
  expect(store.load('latest').files['state.json'].toString()).toBe('state 1');
  store.save(2, files(''));
  expect(readdirSync(store.folder)).toEqual(['update-000001', 'update-000002']);
});

test('a run continued from an earlier checkpoint forgets the later ones', () => {
  const store = storeWith(1, 2);
  store.save(3, files(''), { best: true });
  store.discardAfter(2);
  expect(store.list()).toEqual([1, 2]);
  expect(store.best()).toBeUndefined();
});

test.each(['../up', 'a/b', 'manifest.json', '.hidden', ''])('the file name "%s" is refused', (name) => {
  expect(() => storeWith().save(1, { [name]: '' })).toThrow('cannot be the name of a file');
});
