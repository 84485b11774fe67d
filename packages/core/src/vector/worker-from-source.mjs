// Starts the worker thread where the package runs from its sources; a built package starts worker.js itself.
import { register } from 'tsx/esm/api';

register();
await import('./worker.ts');
