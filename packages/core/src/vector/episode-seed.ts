import { philox4x32 } from '../random.js';

/** Sets these blocks apart from those of named streams, whose last two counter words are a hash of the name. */
const DOMAIN = 0x65706973;
const block = new Uint32Array(4);

/**
 * The seed of one episode of one instance: 53 bits of Philox under the run's seed. A pure function, so that neither the
 * number of workers nor the length of other episodes matters.
 */
export function episodeSeed(seed: number, instance: number, episode: number): number {
  const counter = [episode >>> 0, Math.floor(episode / 2 ** 32) >>> 0, instance, DOMAIN];
  philox4x32(counter, [seed >>> 0, Math.floor(seed / 2 ** 32) >>> 0], block);
  return block[0] * 2 ** 21 + (block[1] >>> 11);
}
