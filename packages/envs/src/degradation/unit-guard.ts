/**
 * What happens to a unit with a point that cannot be read: by default the file is refused, so that nobody trains on what is
 * left of it by mistake; a forecast leaves that unit out and goes on with the others.
 */
import { DataError } from '@rollcast/core';

import { type SkippedUnit } from './series.js';

/** Reads units one by one, and remembers those that could not be read. */
export class UnitGuard {
  private readonly reasons = new Map<string, string>();

  constructor(private readonly leaveOut: boolean) {}

  /**
   * Reads a unit, or a point of it.
   *
   * @returns false when the unit cannot be read, now or already before
   * @throws {DataError} of `read`, unless bad units are to be left out
   */
  try(unit: string, read: () => void): boolean {
    if (this.reasons.has(unit)) return false;
    try {
      read();
      return true;
    } catch (error) {
      if (!this.leaveOut || !(error instanceof DataError)) throw error;
      this.reasons.set(unit, error.message.replace(/\.$/, ''));
      return false;
    }
  }

  /** Units that could not be read, and why. */
  get skipped(): SkippedUnit[] {
    return [...this.reasons].map(([unit, reason]) => ({ unit, reason }));
  }
}
