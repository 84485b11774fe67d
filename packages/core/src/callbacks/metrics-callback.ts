import type { RunDirectory } from '../run/run-directory.js';
import type { Callback, Metrics, Progress } from './callback.js';

/** Writes the metrics of every update to the run folder, as a line and as TensorBoard scalars. */
export class MetricsCallback implements Callback {
  constructor(private readonly run: Pick<RunDirectory, 'appendMetrics'>) {}

  onUpdateEnd({ update, metrics }: Progress & { metrics: Metrics }): void {
    this.run.appendMetrics({ ...metrics, update });
  }
}
