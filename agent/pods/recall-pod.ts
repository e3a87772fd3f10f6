import type { PodAssignment } from '../ledger/assignment.ts';
import type { Container } from '../ports.ts';
import { containerNamed } from './container-spec.ts';
import type { PodContext } from './pod-context.ts';
import { newRecord, type PodRecord, remember } from './pod-record.ts';

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
  const record = newRecord(uid, memory?.startedAtMs ?? firstStart);
  record.conditionsBefore = memory?.conditions;
  for (const [name, known] of Object.entries(memory?.containers ?? {}))
    remember(record, name, known);
  if (assignment) await recallImages(record, assignment, { containers, images: ports.images });
  return record;
}

/** For the image's id and its stop signal; the next start makes sure of the image as always. */
async function recallImages(
  record: PodRecord,
  { pod }: PodAssignment,
  from: {
    readonly containers: readonly Container[];
    readonly images: PodContext['ports']['images'];
  },
): Promise<void> {
  for (const { id } of from.containers) {
    const reference = containerNamed(pod, id.name)?.image;
    const image = reference === undefined ? undefined : await from.images.find(reference);
    if (image) record.images.set(id.name, { state: 'present', image, attempt: id.attempt });
  }
}
