// Loaded before a command (node --import): makes the file system fail as ROLLCAST_FAULT says, CODE:WHAT:COUNT. From the COUNT-th
// writing call on a path that contains WHAT, every writing call fails with CODE, as on a full disk; with CODE "gone" the run
// folder (ROLLCAST_FAULT_FOLDER) is removed at that moment instead, by somebody else.
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';

const [code, what, count] = process.env.ROLLCAST_FAULT.split(':');
const folder = process.env.ROLLCAST_FAULT_FOLDER;
const { rmSync } = fs;
const paths = new Map();
let seen = 0;

for (const name of ['mkdirSync', 'openSync', 'writeFileSync', 'appendFileSync', 'fsyncSync', 'renameSync']) {
  const real = fs[name];
  fs[name] = (target, ...rest) => {
    const path = typeof target === 'number' ? (paths.get(target) ?? '') : String(target);
    const reading = name === 'openSync' && (rest[0] === undefined || rest[0] === 'r');
    if (path.startsWith(folder) && !reading && (seen > 0 || path.includes(what))) {
      if (path.includes(what)) seen += 1;
      if (seen >= Number(count)) {
        if (code !== 'gone') throw Object.assign(new Error(`${code}: injected`), { code });
        if (seen === Number(count)) rmSync(folder, { recursive: true, force: true });
      }
    }
    const result = real(target, ...rest);
    if (name === 'openSync') paths.set(result, path);
    return result;
  };
}
syncBuiltinESMExports();
