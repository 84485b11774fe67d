import { TestEnvironment } from 'jest-environment-node';

/**
 * A Node environment whose typed arrays are those of the outer realm: native add-ons and tfjs test values with
 * `instanceof Float32Array`, which fails across realms.
 */
export default class SharedTypedArrays extends TestEnvironment {
  constructor(config, context) {
    super(config, context);
    const shared = [
      ArrayBuffer,
      SharedArrayBuffer,
      Float32Array,
      Float64Array,
      Int8Array,
      Int16Array,
      Int32Array,
      Uint8Array,
      Uint8ClampedArray,
      Uint16Array,
      Uint32Array,
      BigInt64Array,
      BigUint64Array,
    ];
    for (const constructor of shared) this.global[constructor.name] = constructor;
  }
}
