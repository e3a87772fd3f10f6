import type { PodAssignment } from '../ledger/assignment.ts';
import type { NodePorts } from '../ports.ts';
import { containerNamed } from './container-spec.ts';
import type { PodContext } from './pod-context.ts';
import type { PodObservation } from './pod-observation.ts';
import { isDeleted } from './pod-plan.ts';
import { PodRecord, remember } from './pod-record.ts';
import { volumesSignature } from './volume-specs.ts';

/** Looks at everything that is there of one pod. */
export async function observePod(
  record: PodRecord,
  assignment: PodAssignment | undefined,
  { ports, clock }: PodContext,
): Promise<PodObservation> {
  const { uid, images, memory, probers, blocked } = record;
  const sandbox = await ports.sandboxes.find(uid);
  return {
    sandbox,
    network: await ports.network.find(uid),
    attached: sandbox !== undefined && sandbox.networkNamespace === record.attachedTo,
    volumes: await observeVolumes(record, assignment, ports),
    containers: sandbox ? await ports.containers.list(uid) : [],
    ...{ images, memory, blocked },
    probes: new Map([...probers].map(([name, { prober }]) => [name, prober.states()] as const)),
    now: clock.now(),
  };
}

async function observeVolumes(
  record: PodRecord,
  assignment: PodAssignment | undefined,
  ports: NodePorts,
): Promise<PodObservation['volumes']> {
  if (!assignment || isDeleted(assignment.pod))
    return (await ports.volumes.list()).includes(record.uid) ? 'stale' : 'none';
  return record.volumesFor === volumesSignature(assignment) ? 'ready' : 'stale';
}

/** The record of a pod that this agent hasn't worked on yet; for one that an earlier agent ran, what can be found out. */
export async function recallPod(
  uid: string,
  assignment: PodAssignment | undefined,
  { ports, memories, clock }: PodContext,
): Promise<PodRecord> {
  const sandbox = await ports.sandboxes.find(uid);
  const containers = sandbox ? await ports.containers.list(uid) : [];
  const memory = await memories.read(uid);
  const firstStart = Math.min(clock.now(), ...containers.map((c) => c.startedAtMs));
  const record = new PodRecord(uid, memory?.startedAtMs ?? firstStart);
  record.conditionsBefore = memory?.conditions;
  for (const [name, known] of Object.entries(memory?.containers ?? {}))
    remember(record, name, known);
  // For the image's id and its stop signal; the next start makes sure of the image as always.
  for (const { id } of containers) {
    const reference = assignment && containerNamed(assignment.pod, id.name)?.image;
    const image = reference === undefined ? undefined : await ports.images.find(reference);
    if (image) record.images.set(id.name, { state: 'present', image, attempt: id.attempt });
  }
  return record;
}
