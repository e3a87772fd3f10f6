import type { Generation } from '../../api/generation.ts';
import type { PodStatus } from '../../api/pod-status.ts';

/** What pods/ gives to session/: the newest status of every pod that this node knows of. */
export interface StatusSource {
  /**
   * By uid. An entry stays until the ledger no longer has the pod. None is there for a pod that the controller knows to
   * have Succeeded or Failed, unless this agent saw it end or the pod is deleted.
   */
  statuses(): ReadonlyMap<string, ReportedStatus>;
  /** Called with the uid after its entry was replaced or went. Returns unsubscribe. */
  onChange(listener: (uid: string) => void): () => void;
}

export interface ReportedStatus {
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
  /** Of the assignment that this status is about. */
  readonly generation: Generation;
  readonly status: PodStatus;
  /** Everything of the pod is gone from the node: its object may be removed. */
  readonly terminated: boolean;
}
