import { expect } from '@jest/globals';

import { toBeAllClose } from './matchers.js';

expect.extend({ toBeAllClose });
