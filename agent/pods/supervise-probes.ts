import type { ContainerId } from '../ports.ts';
import { containerNamed } from './container-spec.ts';
import { type PodPass, tell } from './pod-context.ts';
import { hasEnded, newestOf } from './pod-observation.ts';
import { isDeleted } from './pod-plan.ts';
import { type ProbeKind, startProber } from './prober.ts';

const probeTitle: Readonly<Record<ProbeKind, string>> = {
  startup: 'Startup',
  readiness: 'Readiness',
  liveness: 'Liveness',
};

/** Every running container with probes has a prober of its own; nobody else has one. */
export function superviseProbes(pass: PodPass): void {
  const { record, assignment, observed } = pass;
  for (const [name, { attempt, prober }] of record.probers) {
    const newest = newestOf(observed, name);
    if (newest && !hasEnded(newest) && newest.id.attempt === attempt) continue;
    prober.stop();
    record.probers.delete(name);
  }
  if (!assignment || isDeleted(assignment.pod)) return;
  for (const { id, state } of observed.containers)
    if (state === 'running' && !record.probers.has(id.name)) probe(id, pass);
}

function probe(id: ContainerId, pass: PodPass): void {
  const { record, assignment, observed, ports, clock, wake, hostIp } = pass;
  const container = assignment && containerNamed(assignment.pod, id.name);
  const podIp = assignment?.pod.spec.hostNetwork ? hostIp : observed.network?.podIp;
  if (!container || podIp === undefined) return;
  if (!container.startupProbe && !container.readinessProbe && !container.livenessProbe) return;
  const prober = startProber({
    target: { id, container, podIp, containers: ports.containers },
    clock,
    onChange: () => wake(id.uid),
    onFailure: (kind, why) =>
      tell(pass, {
        type: 'Warning',
        reason: 'Unhealthy',
        message: `${probeTitle[kind]} probe failed: ${why}`,
        container: id.name,
      }),
  });
  record.probers.set(id.name, { attempt: id.attempt, prober });
}
