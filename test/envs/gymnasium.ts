import { readFileSync } from 'node:fs';

/** What `test/golden/record-gymnasium.py` writes: transitions of the real package. */
export interface Recording {
  readonly gymnasium: string;
  readonly id: string;
  readonly timeLimit: number;
  readonly episodes: readonly RecordedEpisode[];
}

/** T steps; states and observations have T + 1 rows. */
export interface RecordedEpisode {
  readonly states: readonly (readonly number[])[];
  readonly observations: readonly (readonly number[])[];
  readonly actions: readonly number[];
  readonly rewards: readonly number[];
  readonly terminated: readonly number[];
  readonly truncated: readonly number[];
}

export function readGolden<T>(name: string): T {
  const path = new URL(`../golden/gymnasium/${name}.json`, import.meta.url);
  return JSON.parse(readFileSync(path, 'utf8')) as T;
}
