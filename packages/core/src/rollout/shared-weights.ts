import { NumericalError } from '../errors.js';
import type { Policy } from '../policy.js';

/** @throws {NumericalError} when a reference would move together with the policy */
export function refuseSharedWeights(policy: Policy, referencePolicy: Policy | undefined): void {
  if (referencePolicy && referencePolicy.parameters === policy.parameters) {
    throw new NumericalError(
      'policy and referencePolicy share weights; clone the policy before training so that KL is measured against a frozen copy.',
    );
  }
}
