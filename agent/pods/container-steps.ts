import type { Container } from '../../api/container.ts';
import { backoffMs } from '../../base/backoff.ts';
import { errorChain } from '../../base/error-chain.ts';
import type { PodAssignment } from '../ledger/assignment.ts';
import type { ContainerId } from '../ports.ts';
import { startBackoff, streakAfter } from './container-plan.ts';
import { containerNamed, containerSpec } from './container-spec.ts';
import { environmentOf } from './environment.ts';
import { containerLogPath } from './log-path.ts';
import type { PodAction } from './pod-action.ts';
import type { PodContext, PodPass } from './pod-context.ts';
import { tell } from './pod-events.ts';
import { freshMemory, newestOf } from './pod-observation.ts';
import { remember } from './pod-record.ts';
import { stopSignalNumber } from './stop-signal.ts';

type Step<K extends PodAction['kind']> = Extract<PodAction, { kind: K }>;

export async function startContainer(
  { container: name, attempt }: Step<'start-container'>,
  pass: PodPass,
  context: PodContext,
): Promise<void> {
  const { record, assignment, observed } = pass;
  const container = assignment && containerNamed(assignment.pod, name);
  if (!assignment || !container) return;
  const memory = record.memory.get(name) ?? freshMemory;
  const say = (type: 'Normal' | 'Warning', reason: string, message: string) =>
    tell(context.events, assignment.pod, { type, reason, message, container: name });
  try {
    await runContainer({ assignment, container, attempt }, pass, context);
    remember(record, name, {
      streak: streakAfter(memory, newestOf(observed, name)),
      startFailure: undefined,
      stop: undefined,
    });
    say('Normal', 'Started', `Started container ${name}`);
  } catch (error) {
    pass.signal.throwIfAborted();
    const failures = (memory.startFailure?.failures ?? 0) + 1;
    const reason = reasonOf(error);
    const message = errorChain(error);
    const retryAtMs = context.clock.now() + backoffMs(startBackoff, failures);
    remember(record, name, { startFailure: { reason, message, failures, retryAtMs } });
    say('Warning', 'Failed', `Error: ${message}`);
  }
}

async function runContainer(
  wanted: {
    readonly assignment: PodAssignment;
    readonly container: Container;
    readonly attempt: number;
  },
  { record, observed, signal }: PodPass,
  context: PodContext,
): Promise<void> {
  const { assignment, container, attempt } = wanted;
  const image = observed.images.get(container.name);
  if (image?.state !== 'present') return;
  const variables = environmentOf(container, {
    assignment,
    podIp: assignment.pod.spec.hostNetwork ? context.hostIp : (observed.network?.podIp ?? ''),
    hostIp: context.hostIp,
    nodeName: context.nodeName,
    network: context.network(),
  });
  const logPath = containerLogPath(context.logDir, assignment.pod.metadata, {
    name: container.name,
    attempt,
  });
  const { volumes } = record;
  const spec = { assignment, container, attempt, image: image.image, variables, volumes, logPath };
  await context.ports.containers.start(containerSpec(spec), signal);
}

/** The port's own word (CreateContainerError, StartError …), which is Kubernetes' for a waiting container. */
function reasonOf(error: unknown): string {
  const reason = error instanceof Error && 'reason' in error ? error.reason : undefined;
  return typeof reason === 'string' ? reason : 'RunContainerError';
}

export async function stopContainer(
  { id, because }: Step<'stop-container'>,
  { record, assignment, observed }: PodPass,
  { ports, clock, events }: PodContext,
): Promise<void> {
  const image = observed.images.get(id.name);
  const wanted = image?.state === 'present' ? image.image.config.stopSignal : undefined;
  record.probers.get(id.name)?.prober.stop();
  await ports.containers.kill(id, stopSignalNumber(wanted));
  remember(record, id.name, { stop: { id, sentAtMs: clock.now(), killed: false } });
  if (!assignment) return;
  const message = because === '' ? `Stopping container ${id.name}` : because;
  const happened = { type: 'Normal', reason: 'Killing', message, container: id.name } as const;
  tell(events, assignment.pod, happened);
}

export async function killContainer(
  { id }: { readonly id: ContainerId },
  { record }: PodPass,
  { ports, clock }: PodContext,
): Promise<void> {
  await ports.containers.kill(id, 9);
  remember(record, id.name, { stop: { id, sentAtMs: clock.now(), killed: true } });
}
