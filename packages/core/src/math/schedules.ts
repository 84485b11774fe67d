/**
 * Learning rate that rises linearly over the warm-up and then falls along half a cosine to a share of its peak
 * (Loshchilov and Hutter 2017, eq. 5, arXiv:1608.03983).
 *
 * @param step - 0 … total − 1
 * @param total - steps in all
 * @param peak - highest rate
 * @param warmup - steps of the rise
 * @param floor - final rate as a share of the peak
 */
export function warmupCosine(step: number, total: number, peak: number, warmup: number, floor = 0.1): number {
  if (step < warmup) return (peak * (step + 1)) / warmup;
  const progress = (step - warmup) / Math.max(1, total - warmup);
  return peak * (floor + (1 - floor) * 0.5 * (1 + Math.cos(Math.PI * progress)));
}

/** The stage of a run that is cut into equal shares; `progress` in [0, 1) is the share that is over. */
export function stageOf<Stage>(stages: readonly Stage[], progress: number): Stage {
  return stages[Math.min(stages.length - 1, Math.max(0, Math.floor(progress * stages.length)))];
}

/** Linear change from one value to another over a run; `progress` in [0, 1] is clipped. */
export function linearSchedule(from: number, to: number, progress: number): number {
  return from + (to - from) * Math.min(1, Math.max(0, progress));
}
