#!/usr/bin/env node
import { endWithParent } from '../dist/interrupt.js';
import { main } from '../dist/main.js';

endWithParent();
process.exitCode = await main(process.argv.slice(2));
