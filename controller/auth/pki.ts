import type { Base } from '../../base/base.ts';
import { controllerSubject, type LeafSubject, openCa } from './ca.ts';
import { ensureLeaf } from './leaf-certificates.ts';

export type Pki = Awaited<ReturnType<typeof openPki>>;

export interface PkiOptions extends Pick<Base, 'clock' | 'rng'> {
  readonly dir: string;
  /** Names and addresses at which this controller is dialled. */
  readonly serverNames: readonly string[];
}

/** A controller's keys: the cluster's authority, and what it shows itself. */
export async function openPki({ dir, serverNames, clock, rng }: PkiOptions) {
  const ca = await openCa({ dir, clock, rng });
  const leaf = (file: string, subject: LeafSubject) => ({ ca, dir, clock, file, subject });
  const serverLeaf = leaf('server', controllerSubject(serverNames));
  return {
    ca,
    /** Of the listeners, as it is at the start. */
    identity: { ...(await ensureLeaf(serverLeaf)), ca: ca.certificate },
    serverLeaf,
    adminLeaf: leaf('admin', { use: 'client', name: 'admin', groups: ['system:masters'] }),
  };
}
