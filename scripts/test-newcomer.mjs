// The path of a newcomer: from an empty folder and the packed tarballs, `rollcast new`, and then every command that it has printed, as it
// was printed, in less than three minutes. `npm run test:newcomer -- sequence reward` walks those of the other scaffolds.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { install, pack } from './packed.mjs';

const NAME = 'my-own';
/** Seconds that all may take. */
const LIMIT = 180;
/** What is written, and what the commands that are printed must be among others. */
const KINDS = {
  step: {
    words: ['env'],
    printed: ['check', '--test', 'train ppo', 'train reinforce', 'bench ppo reinforce'],
  },
  sequence: {
    words: ['env', '--kind', 'sequence'],
    printed: ['check', '--test', 'train ppo', 'train reinforce', 'bench ppo reinforce'],
  },
  reward: {
    words: ['reward'],
    printed: ['check', '--test', 'pretrain', 'train ppo', 'train reinforce', 'evaluate'],
  },
};

const kinds = process.argv.length > 2 ? process.argv.slice(2) : ['step'];
const unknown = kinds.find((kind) => !Object.hasOwn(KINDS, kind));
if (unknown !== undefined) {
  console.error(`There is no scaffold "${unknown}". Known: ${Object.keys(KINDS).join(', ')}.`);
  process.exit(2);
}
const folder = mkdtempSync(join(tmpdir(), 'rollcast-newcomer-'));
try {
  pack(join(folder, 'tarballs'));
  for (const kind of kinds) await walk(kind, join(folder, kind));
} catch (error) {
  console.error(`FAIL  ${error.message}`);
  process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}

async function walk(kind, project) {
  const started = performance.now();
  const seconds = (since) => (performance.now() - since) / 1000;
  install(join(folder, 'tarballs'), project);
  console.log(`${seconds(started).toFixed(1).padStart(6)} s  npm install, into an empty folder`);
  const timed = async (command) => {
    const before = performance.now();
    const out = await shell(command, project);
    console.log(`${seconds(before).toFixed(1).padStart(6)} s  ${command}`);
    return out;
  };
  const { words, printed } = KINDS[kind];
  const commands = commandsIn(await timed(['npx rollcast new', words[0], NAME, ...words.slice(1)].join(' ')));
  for (const what of printed) {
    const is = (command) => what.split(' ').every((word) => command.split(/[ ,]/).includes(word));
    if (!commands.some(is))
      throw new Error(`of what was printed, nothing is ${what}:\n${commands.join('\n')}`);
  }
  for (const command of commands) await timed(command);
  if (kind !== 'reward') expectLearning(project);
  const total = seconds(started);
  console.log(`${total.toFixed(1).padStart(6)} s  in all, of ${LIMIT}\n`);
  if (total > LIMIT) throw new Error(`${total.toFixed(0)} s are more than ${LIMIT}`);
}

/** The lines that are set apart by two blanks. */
function commandsIn(text) {
  return [...text.matchAll(/^ {2}(\S.*)$/gm)].map(([, command]) => command);
}

/** Runs a line as it is, the way a shell would; nothing may be fetched for it. */
function shell(command, cwd) {
  return new Promise((resolve, reject) => {
    const env = { ...process.env, npm_config_offline: 'true' };
    const child = spawn(command, { cwd, env, shell: true, stdio: ['ignore', 'pipe', 'pipe'] });
    let out = '';
    let all = '';
    child.stdout.on('data', (text) => ((out += text), (all += text)));
    child.stderr.on('data', (text) => (all += text));
    child.once('close', (code) =>
      code === 0 ? resolve(out) : reject(new Error(`${command}\nended with ${code}:\n${all.slice(-4000)}`)),
    );
  });
}

/** Something came of it: PPO ends above where it began. */
function expectLearning(project) {
  const { curve } = JSON.parse(readFileSync(join(project, 'runs', `${NAME}-ppo`, 'result.json'), 'utf8'));
  const [first, last] = [curve.at(0), curve.at(-1)];
  if (!(last.return > first.return)) throw new Error(`PPO went from ${first.return} to ${last.return}`);
}
