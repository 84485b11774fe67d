// Steps a second of each environment alone on one core, with random actions and the restarts they lead to: `in place`
// (a batch of one through `resetInto` and `stepInto`), `step` (result objects) and `vectorise` (64 instances with checks,
// time limit and episode statistics). Median of several runs.
//
//   npm run bench:environments [-- NAME …]
import { actionArray, Registry, RandomStream, vectorise } from '@rollcast/core';
import { registerEnvironments } from '@rollcast/envs';

const RUNS = 7;
const SECONDS = 0.25;
/** Actions drawn before the clock starts; a power of two. */
const DRAWN = 4096;
const INSTANCES = 64;

const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];

/** Steps a second: runs `steps(n)`, which takes n steps, for a while, several times. */
function rate(steps) {
  const chunk = 20_000;
  steps(chunk); // warm-up
  const rates = [];
  for (let run = 0; run < RUNS; run++) {
    const start = performance.now();
    let taken = 0;
    while (performance.now() - start < SECONDS * 1000) {
      steps(chunk);
      taken += chunk;
    }
    rates.push((taken / (performance.now() - start)) * 1000);
  }
  return median(rates);
}

const buffersOf = ({ actionSpace, observationSpace }) => ({
  actions: actionArray(actionSpace, 1),
  observations: new Float32Array(observationSpace.flatSize),
  rewards: new Float64Array(1),
  terminated: new Uint8Array(1),
  truncated: new Uint8Array(1),
});

function inPlace(environment, actions) {
  const buffers = buffersOf(environment);
  const limit = environment.maxEpisodeSteps ?? Infinity;
  let seed = 0;
  let length = 0;
  environment.resetInto(seed, buffers, 0);
  return (n) => {
    for (let i = 0; i < n; i++) {
      buffers.actions[0] = actions[i % DRAWN];
      environment.stepInto(buffers, 0);
      length++;
      if (buffers.terminated[0] === 1 || length >= limit) {
        environment.resetInto(++seed, buffers, 0);
        length = 0;
      }
    }
  };
}

function plain(environment, actions) {
  const limit = environment.maxEpisodeSteps ?? Infinity;
  const isBox = environment.actionSpace.kind === 'box';
  let seed = 0;
  let length = 0;
  environment.reset(seed);
  return (n) => {
    for (let i = 0; i < n; i++) {
      const action = actions[i % DRAWN];
      const { terminated } = environment.step(isBox ? [action] : action);
      length++;
      if (terminated || length >= limit) {
        environment.reset(++seed);
        length = 0;
      }
    }
  };
}

async function batched(create, actions) {
  const environments = await vectorise(create, { count: INSTANCES });
  environments.reset(0);
  const batches = Array.from({ length: DRAWN / INSTANCES }, (_, i) =>
    actions.slice(i * INSTANCES, (i + 1) * INSTANCES),
  );
  return (n) => {
    for (let i = 0; i < n / INSTANCES; i++) environments.step(batches[i % batches.length]);
  };
}

const registry = new Registry('environment');
registerEnvironments(registry);
const chosen = process.argv.slice(2);
const names = registry.list().flatMap(([name, { kind }]) => (kind === 'step' ? [name] : []));
const millions = (value) => `${(value / 1e6).toFixed(2)} M`.padStart(10);

console.log(
  `${'steps a second'.padEnd(28)}${'in place'.padStart(10)}${'step'.padStart(10)}${'vectorise'.padStart(10)}`,
);
for (const name of chosen.length > 0 ? chosen : names) {
  const { create } = registry.get(name);
  const environment = create();
  const random = new RandomStream(0, 'actions');
  const actions = actionArray(environment.actionSpace, DRAWN).map(() =>
    environment.actionSpace.kind === 'box'
      ? environment.actionSpace.sample(random)[0]
      : environment.actionSpace.sample(random),
  );
  const cells = [
    environment.stepInto ? millions(rate(inPlace(create(), actions))) : '–'.padStart(10),
    millions(rate(plain(create(), actions))),
    millions(rate(await batched(create, actions))),
  ];
  console.log(`${name.padEnd(28)}${cells.join('')}`);
}
