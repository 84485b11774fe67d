import { createRequire } from 'node:module';

import type * as math from 'mathjs';

/**
 * mathjs for plain numbers, loaded when it is first asked for: that takes a third of the time that Rollcast takes to start, and
 * most commands and every worker thread do without.
 */
export function mathjs(): typeof math {
  return createRequire(import.meta.url)('mathjs/number') as typeof math;
}
