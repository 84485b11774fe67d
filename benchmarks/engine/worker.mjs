// One engine of the benchmark: runs a task when asked and answers with its time.
import { performance } from 'node:perf_hooks';

import { selectBackend } from '@rollcast/core';

import { prepare } from './tasks.mjs';

const [engine, size] = process.argv.slice(2);
const [backend, device] = engine.split(':');
await selectBackend(backend, { device });
const { tasks, finish } = prepare(JSON.parse(size));

process.on('message', ({ task }) => {
  try {
    if (task === 'memory') {
      process.send({ peakMegabytes: process.resourceUsage().maxRSS / 1024 });
      return;
    }
    finish();
    const start = performance.now();
    tasks[task]();
    finish();
    process.send({ milliseconds: performance.now() - start });
  } catch (error) {
    process.send({ error: error.stack });
  }
});
