import { expect } from '@jest/globals';

import { toBeAllClose, toHaveShape } from './matchers.js';

expect.extend({ toBeAllClose, toHaveShape });
