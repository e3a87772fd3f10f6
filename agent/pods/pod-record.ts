import type { PodStatus } from '../../api/pod-status.ts';
import type { PodAssignment } from '../ledger/assignment.ts';
import type { VolumeSource } from '../ports.ts';
import {
  type Blocked,
  type ContainerMemory,
  type ImageState,
  memoryOf,
} from './pod-observation.ts';
import type { Prober } from './prober.ts';
import { volumesSignature } from './volume-specs.ts';

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
