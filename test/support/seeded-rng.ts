import type { Rng } from '../../base/rng.ts';

/** mulberry32: small, fast, and the same sequence for the same seed. Not for secrets. */
export function seededRng(seed: number): Rng {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (t ^ (t >>> 14)) >>> 0;
  };
  const bytes = (size: number) => Buffer.from(Array.from({ length: size }, () => next() & 0xff));
  return {
    fraction: () => next() / 2 ** 32,
    uuid: () => {
      const hex = bytes(16).toString('hex');
      return [8, 12, 16, 20, 32].map((end, i) => hex.slice([0, 8, 12, 16, 20][i], end)).join('-');
    },
    bytes,
  };
}
