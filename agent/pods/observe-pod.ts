import type { PodAssignment } from '../ledger/assignment.ts';
import type { NodePorts } from '../ports.ts';
import type { PodObservation, ProbeStates } from './pod-observation.ts';
import { isDeleted } from './pod-plan.ts';
import type { PodRecord } from './pod-record.ts';
import { volumesSignature } from './volume-specs.ts';

/** Looks at everything that is there of one pod. */
export async function observePod(
  record: PodRecord,
  assignment: PodAssignment | undefined,
  ports: NodePorts,
): Promise<PodObservation> {
  const { uid } = record;
  const sandbox = await ports.sandboxes.find(uid);
  return {
    sandbox,
    network: await ports.network.find(uid),
    attached: sandbox !== undefined && sandbox.networkNamespace === record.attachedTo,
    volumes: await observeVolumes(record, assignment, ports),
    containers: sandbox ? await ports.containers.list(uid) : [],
    images: record.images,
    memory: record.memory,
    probes: new Map<string, ProbeStates>(
      [...record.probers].map(([name, { prober }]) => [name, prober.states()]),
    ),
    blocked: record.blocked,
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
