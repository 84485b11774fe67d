import { selectBackend, type BackendName, type DeviceName } from '@rollcast/core';

/** `npm run test:backend -- NAME [--device DEVICE]` names one for all suites that run on any backend. */
const named = process.env['ROLLCAST_TEST_BACKEND'] as BackendName | undefined;
const device = process.env['ROLLCAST_TEST_DEVICE'] as DeviceName | undefined;

/** The backends on which a suite runs: the usual ones, or the one that was named. */
export function backendsUnderTest(...usual: BackendName[]): BackendName[] {
  return named ? [named] : usual;
}

/** Makes the usual backend compute, or the one that was named. */
export function useBackend(usual: BackendName): Promise<BackendName> {
  return named ? selectBackend(named, { device }) : selectBackend(usual);
}
