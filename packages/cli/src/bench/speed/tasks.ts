/** Everything that `rollcast bench --speed` measures, in this order. */
import { environmentTasks } from './environments.js';
import type { SpeedTask } from './measure.js';
import { partTasks } from './parts.js';
import { policyTasks } from './policies.js';
import { transformerTasks } from './transformer.js';

export const speedTasks: readonly SpeedTask[] = [
  ...environmentTasks,
  ...policyTasks,
  ...transformerTasks,
  ...partTasks,
];
