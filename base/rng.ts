import { randomBytes, randomUUID } from 'node:crypto';

/** The only door to randomness, so that a test or a simulation can be replayed from its seed. */
export interface Rng {
  /** A number in [0, 1). */
  fraction(): number;
  uuid(): string;
  bytes(size: number): Buffer;
}

export const systemRng = (): Rng => ({
  fraction: () => randomBytes(4).readUInt32LE() / 2 ** 32,
  uuid: () => randomUUID(),
  bytes: (size) => randomBytes(size),
});

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
