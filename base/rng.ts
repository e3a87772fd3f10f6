import { randomBytes, randomUUID } from 'node:crypto';

/** The only door to randomness, so that a test or a simulation can be replayed from its seed. */
export interface Rng {
  /** A number in [0, 1). */
  fraction(): number;
  uuid(): string;
  bytes(size: number): Buffer;
}

export function systemRng(): Rng {
  return {
    fraction: () => randomBytes(4).readUInt32LE() / 2 ** 32,
    uuid: () => randomUUID(),
    bytes: (size) => randomBytes(size),
  };
}

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

/** Without vowels and look-alikes, so that no word and no confusion can come out: as in Kubernetes' names. */
export const nameAlphabet = 'bcdfghjklmnpqrstvwxz2456789';

/** As for a ReplicaSet's pods: five characters behind what there is room for in a label, as in Kubernetes. */
export function generateName(prefix: string, rng: Rng): string {
  const suffix = Array.from(
    { length: 5 },
    () => nameAlphabet[Math.floor(rng.fraction() * nameAlphabet.length)],
  );
  return `${prefix.slice(0, 58)}${suffix.join('')}`;
}
