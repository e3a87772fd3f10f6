import { containerGroups } from '../../api/pod-facts.ts';
import type { PodStatus } from '../../api/pod-status.ts';
import type { Base } from '../../base/base.ts';
import type { PodAssignment } from '../ledger/assignment.ts';
import type { NetworkTable, NodePorts, VolumeSource } from '../ports.ts';
import type { PodMemories } from './pod-memory.ts';
import {
  type Blocked,
  type ContainerMemory,
  type ImageState,
  memoryOf,
  type PodObservation,
} from './pod-observation.ts';
import type { Prober } from './prober.ts';
import { volumesSignature } from './volume-specs.ts';

/** What every pod of this node shares. */
export interface PodContext extends Pick<Base, 'clock' | 'log'> {
  readonly ports: NodePorts;
  readonly memories: PodMemories;
  readonly events: PodEvents;
  readonly nodeName: string;
  /** This node's address. */
  readonly hostIp: string;
  readonly logDir: string;
  /** The node's own /etc/resolv.conf. */
  readonly nodeResolvConf: string;
  readonly network: () => NetworkTable | undefined;
  readonly wake: (uid: string) => void;
}

/** One pod, for the steps of one pass. */
export interface PodPass extends PodContext {
  readonly record: PodRecord;
  readonly assignment: PodAssignment | undefined;
  readonly observed: PodObservation;
  readonly signal: AbortSignal;
}

/** Where pods/ tells what happens; session/ carries it to the controller, which makes Events of it. */
type PodEvents = Readonly<{ record(event: PodEvent): void }>;

export interface PodEvent {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  /** "spec.containers{web}", when it is about one container. */
  readonly fieldPath: string | undefined;
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly message: string;
}

type Happened = Pick<PodEvent, 'type' | 'reason' | 'message'> & { readonly container?: string };

/** Something that happened to a pod, or to one container of it. Of one that was taken away without a word: nothing. */
export function tell(pass: PodPass, { container, ...what }: Happened): void {
  const { events, assignment } = pass;
  if (!assignment) return;
  const { metadata, spec } = assignment.pod;
  const group = containerGroups.find((group) => spec[group]?.some((c) => c.name === container));
  events.record({
    namespace: metadata.namespace ?? '',
    name: metadata.name,
    uid: metadata.uid,
    fieldPath: container === undefined ? undefined : `spec.${group}{${container}}`,
    ...what,
  });
}

/** What a worker remembers of its pod between two passes. Only its own worker writes it. */
export class PodRecord {
  readonly uid: string;
  readonly startedAtMs: number;
  readonly images = new Map<string, ImageState>();
  readonly memory = new Map<string, ContainerMemory>();
  readonly probers = new Map<string, { readonly attempt: number; readonly prober: Prober }>();
  readonly pulls = new Map<string, AbortController>();
  volumes: ReadonlyMap<string, VolumeSource> = new Map();
  /** Of the assignment that the volumes were made for. */
  volumesFor: string | undefined;
  /** The network namespace that was connected last. */
  attachedTo: string | undefined;
  /** Of the assignment that was tried last. */
  triedWith: string | undefined;
  blocked: Blocked | undefined;
  blockedTimes = 0;
  status: PodStatus | undefined;
  /** What an earlier agent reported last. */
  conditionsBefore: PodStatus['conditions'];
  /** The memory that was written last, as text. */
  kept: string | undefined;

  constructor(uid: string, startedAtMs: number) {
    this.uid = uid;
    this.startedAtMs = startedAtMs;
  }
}

export function remember(record: PodRecord, name: string, change: Partial<ContainerMemory>): void {
  record.memory.set(name, { ...memoryOf(record, name), ...change });
}

/** What was missing may be there now: with other ConfigMaps or Secrets nothing waits out its back-off. */
export function retryWhatWaited(record: PodRecord, assignment: PodAssignment): void {
  const signature = volumesSignature(assignment);
  if (record.triedWith === signature) return;
  record.triedWith = signature;
  if (record.blocked) record.blocked = { ...record.blocked, retryAtMs: 0 };
  for (const [name, { startFailure }] of record.memory)
    if (startFailure) remember(record, name, { startFailure: { ...startFailure, retryAtMs: 0 } });
  for (const [name, image] of record.images)
    if (image.state === 'failed') record.images.set(name, { ...image, retryAtMs: 0 });
}

/** Nothing of the pod goes on in the background any more. */
export function endBackground(record: PodRecord): void {
  endProbes(record);
  endPulls(record);
}

export function endPulls(record: PodRecord): void {
  for (const pull of record.pulls.values()) pull.abort(new Error('the image is no longer needed'));
  record.pulls.clear();
}

export function endProbes(record: PodRecord): void {
  for (const { prober } of record.probers.values()) prober.stop();
  record.probers.clear();
}
