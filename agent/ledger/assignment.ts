import type { ConfigMap } from '../../api/config-map.ts';
import type { Generation } from '../../api/generation.ts';
import type { Pod } from '../../api/pod.ts';
import type { Secret } from '../../api/secret.ts';
import type { Rng } from '../../base/rng.ts';
import { nonceBytes, seal, unseal } from '../../base/sealed.ts';
import type { NetworkTable, UserNamespaceRange } from '../ports.ts';

/** One pod that this node is to run, with everything that it names. Written only by the ledger. */
export interface PodAssignment {
  readonly uid: string;
  /** Of the message that this came with; pods/ hands it back with each status. */
  readonly generation: Generation;
  /** Without managedFields, its status the initial one (pods/ writes that). A deletionTimestamp says: end it. */
  readonly pod: Pod;
  /** Those that the pod names and that exist, by name; all in the pod's namespace. */
  readonly configMaps: ReadonlyMap<string, ConfigMap>;
  readonly secrets: ReadonlyMap<string, Secret>;
  /** Of its RuntimeClass; "": it names none, or one that isn't there. */
  readonly runtimeHandler: string;
  /** Ids that only this pod has on this node, for as long as it is assigned; undefined: hostUsers. */
  readonly userNamespace: UserNamespaceRange | undefined;
}

/** An assignment as it arrives, before the ledger gave it ids. */
export type NewAssignment = Omit<PodAssignment, 'generation' | 'userNamespace'>;

/**
 * What the controller said last, on disk. Read by pods/; fed by session/. A restarted agent finds here what it is to
 * run and needs no controller for it. Maps are replaced, never changed: what was read stays as it was.
 */
export interface Ledger {
  /** By uid. A pod whose entry disappears is to be cleaned up. */
  pods(): ReadonlyMap<string, PodAssignment>;
  /** undefined: this node has never been welcomed by a controller. */
  network(): NetworkTable | undefined;
  /** The newest generation that was accepted; undefined: none yet. */
  generation(): Generation | undefined;
  /**
   * Resolves when it is on disk, after the listeners were called. 'stale': older than what is here (a deposed leader
   * speaks), nothing was changed. Changes are taken in the order of the calls. Throws LedgerError.
   */
  accept(change: LedgerChange): Promise<'accepted' | 'stale'>;
  /** Called after each accepted change with a pod's uid or 'network', once each. Returns unsubscribe. */
  onChange(listener: (changed: string) => void): () => void;
}

export type LedgerChange = { readonly generation: Generation } & (
  | {
      /** Everything; what is not in it is no longer assigned. */
      readonly kind: 'snapshot';
      readonly pods: readonly NewAssignment[];
      readonly network: NetworkTable;
    }
  | { readonly kind: 'assign'; readonly pod: NewAssignment }
  | { readonly kind: 'remove'; readonly uid: string }
  | { readonly kind: 'network'; readonly network: NetworkTable }
);

interface PodFile {
  readonly uid: string;
  readonly generation: Generation;
  readonly pod: Pod;
  readonly configMaps: readonly ConfigMap[];
  /** AES-256-GCM of the JSON: nonce, tag, ciphertext; base64. */
  readonly secrets: string;
  readonly runtimeHandler?: string;
  readonly userNamespace: UserNamespaceRange | null;
}

export type NetworkFile = Readonly<{ generation: Generation; network: NetworkTable }>;

/** How the ledger's files are written. Secrets are in them only encrypted, bound to their pod. */
export const assignmentCodec = (key: Uint8Array, rng: Rng) => ({
  encodePod({ configMaps, secrets, userNamespace, ...rest }: PodAssignment): string {
    const plain = Buffer.from(JSON.stringify([...secrets.values()]));
    const sealed = seal(plain, { key, context: rest.uid, nonce: rng.bytes(nonceBytes) });
    const file: PodFile = {
      ...rest,
      configMaps: [...configMaps.values()],
      secrets: sealed.toString('base64'),
      userNamespace: userNamespace ?? null,
    };
    return JSON.stringify(file);
  },
  /** Throws when the file is not what was written, or was written with another key. */
  decodePod(text: string): PodAssignment {
    const file = JSON.parse(text) as PodFile;
    const sealed = Buffer.from(file.secrets, 'base64');
    const secrets = unseal(sealed, { key, context: file.uid }).toString();
    return {
      ...file,
      configMaps: byName(file.configMaps),
      secrets: byName(JSON.parse(secrets) as Secret[]),
      runtimeHandler: file.runtimeHandler ?? '',
      userNamespace: file.userNamespace ?? undefined,
    };
  },
});

/** As an assignment holds them. */
export const byName = <T extends ConfigMap | Secret>(objects: readonly T[]) =>
  new Map(objects.map((object) => [object.metadata.name, object]));
