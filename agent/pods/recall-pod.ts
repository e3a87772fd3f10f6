import type { PodAssignment } from '../ledger/assignment.ts';
import { containerNamed } from './container-spec.ts';
import type { PodContext } from './pod-context.ts';
import { PodRecord, remember } from './pod-record.ts';

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
