import type { PodAssignment } from '../ledger/assignment.ts';
import type { NodePorts } from '../ports.ts';
import type { PodContext } from './pod-context.ts';
import type { PodObservation } from './pod-observation.ts';
import { isDeleted } from './pod-plan.ts';
import type { PodRecord } from './pod-record.ts';
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
