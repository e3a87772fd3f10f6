import type { Clock } from '../../base/clock.ts';
import type { Rng } from '../../base/rng.ts';
import { type CertificateAuthority, controllerSubject, openCa } from './ca.ts';
import type { KeyPair } from './key-pair.ts';
import { ensureLeaf, type LeafOptions } from './leaf-certificates.ts';

/** A controller's keys: the cluster's authority, and what it shows itself. */
export interface Pki {
  readonly ca: CertificateAuthority;
  /** Of the listeners, as it is at the start. */
  readonly identity: KeyPair & { readonly ca: string };
  readonly serverLeaf: LeafOptions;
  readonly adminLeaf: LeafOptions;
}

export interface PkiOptions {
  readonly dir: string;
  /** Names and addresses at which this controller is dialled. */
  readonly serverNames: readonly string[];
  readonly clock: Clock;
  readonly rng: Rng;
}

export async function openPki({ dir, serverNames, clock, rng }: PkiOptions): Promise<Pki> {
  const ca = await openCa({ dir, clock, rng });
  const subject = controllerSubject(serverNames);
  const serverLeaf: LeafOptions = { ca, dir, clock, file: 'server', subject };
  return {
    ca,
    identity: { ...(await ensureLeaf(serverLeaf)), ca: ca.certificate },
    serverLeaf,
    adminLeaf: {
      ...{ ca, dir, clock, file: 'admin' },
      subject: { use: 'client', name: 'admin', groups: ['system:masters'] },
    },
  };
}
