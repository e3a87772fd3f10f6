import { containerNamed } from './container-spec.ts';
import type { PodContext, PodPass } from './pod-context.ts';
import { tell } from './pod-events.ts';
import { hasEnded, newestOf } from './pod-observation.ts';
import { isDeleted } from './pod-plan.ts';
import { type ProbeKind, startProber } from './prober.ts';

const probeTitle: Readonly<Record<ProbeKind, string>> = {
  startup: 'Startup',
  readiness: 'Readiness',
  liveness: 'Liveness',
};

/** Every running container with probes has a prober of its own; nobody else has one. */
export function superviseProbes(pass: PodPass, context: PodContext): void {
  const { record, assignment, observed } = pass;
  for (const [name, { attempt, prober }] of record.probers) {
    const newest = newestOf(observed, name);
    if (newest && !hasEnded(newest) && newest.id.attempt === attempt) continue;
    prober.stop();
    record.probers.delete(name);
  }
  if (!assignment || isDeleted(assignment.pod)) return;
  for (const container of observed.containers) {
    if (!hasEnded(container) && !record.probers.has(container.id.name)) {
      probe(container.id, pass, context);
    }
  }
}

function probe(
  id: { readonly uid: string; readonly name: string; readonly attempt: number },
  { record, assignment, observed }: PodPass,
  { ports, clock, events, wake, hostIp }: PodContext,
): void {
  const container = assignment && containerNamed(assignment.pod, id.name);
  const podIp = assignment?.pod.spec.hostNetwork ? hostIp : observed.network?.podIp;
  if (!container || podIp === undefined) return;
  if (!container.startupProbe && !container.readinessProbe && !container.livenessProbe) return;
  const prober = startProber({
    target: { id, container, podIp, containers: ports.containers },
    clock,
    onChange: () => wake(id.uid),
    onFailure: (kind, why) =>
      tell(events, assignment.pod, {
        type: 'Warning',
        reason: 'Unhealthy',
        message: `${probeTitle[kind]} probe failed: ${why}`,
        container: id.name,
      }),
  });
  record.probers.set(id.name, { attempt: id.attempt, prober });
}
