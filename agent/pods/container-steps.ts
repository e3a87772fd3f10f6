import type { Container as ContainerOfPod, EphemeralContainer } from '../../api/container.ts';
import { backoffMs } from '../../base/backoff.ts';
import { errorChain } from '../../base/error-chain.ts';
import { startBackoff, streakAfter } from './container-plan.ts';
import { containerNamed, containerSpec } from './container-spec.ts';
import { environmentOf } from './environment.ts';
import type { Step } from './pod-action.ts';
import { type PodPass, remember, tell } from './pod-context.ts';
import { containerLogPath } from './pod-files.ts';
import { isRunning, memoryOf, newestOf, type PodObservation } from './pod-observation.ts';
import { stopSignalNumber } from './stop-signal.ts';

export async function startContainer(step: Step<'start-container'>, pass: PodPass): Promise<void> {
  const { record, observed, clock } = pass;
  const { container: name } = step;
  const memory = memoryOf(record, name);
  const say = (type: 'Normal' | 'Warning', reason: string, message: string) =>
    tell(pass, { type, reason, message, container: name });
  try {
    await runContainer(step, pass);
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
    const retryAtMs = clock.now() + backoffMs(startBackoff, failures);
    remember(record, name, { startFailure: { reason, message, failures, retryAtMs } });
    say('Warning', 'Failed', `Error: ${message}`);
  }
}

async function runContainer(step: Step<'start-container'>, pass: PodPass): Promise<void> {
  const { assignment, observed, hostIp, nodeName, logDir, ports, signal } = pass;
  const { container: name, attempt } = step;
  const container = assignment && containerNamed(assignment.pod, name);
  const image = observed.images.get(name);
  if (!assignment || !container || image?.state !== 'present') return;
  const { metadata, spec } = assignment.pod;
  const podIp = spec.hostNetwork ? hostIp : (observed.network?.podIp ?? '');
  const network = pass.network();
  const given = {
    ...{ assignment, container, attempt, image: image.image, volumes: pass.record.volumes },
    variables: environmentOf(container, { assignment, podIp, hostIp, nodeName, network }),
    logPath: containerLogPath(logDir, metadata, { name, attempt }),
    besides: targetOf(container, observed),
  };
  await ports.containers.start(containerSpec(given), signal);
}

/** Of an ephemeral container: a container whose processes it shall see. Throws while that one doesn't run. */
function targetOf(container: ContainerOfPod | EphemeralContainer, observed: PodObservation) {
  const target = 'targetContainerName' in container && container.targetContainerName;
  if (!target) return undefined;
  const newest = newestOf(observed, target);
  if (newest && isRunning(newest)) return newest.id;
  throw new Error(`container ${target} is not running`);
}

/** The port's own word (CreateContainerError, StartError …), which is Kubernetes' for a waiting container. */
function reasonOf(error: unknown): string {
  const reason = error instanceof Error && 'reason' in error ? error.reason : undefined;
  return typeof reason === 'string' ? reason : 'RunContainerError';
}

export async function stopContainer({ id, because }: Step<'stop-container'>, pass: PodPass) {
  const { record, observed, ports, clock } = pass;
  const image = observed.images.get(id.name);
  const wanted = image?.state === 'present' ? image.image.config.stopSignal : undefined;
  record.probers.get(id.name)?.prober.stop();
  await ports.containers.kill(id, stopSignalNumber(wanted));
  remember(record, id.name, { stop: { id, sentAtMs: clock.now(), killed: false } });
  const message = because || `Stopping container ${id.name}`;
  tell(pass, { type: 'Normal', reason: 'Killing', message, container: id.name });
}

export async function killContainer(
  { id }: Step<'kill-container'>,
  { record, ports, clock }: PodPass,
): Promise<void> {
  await ports.containers.kill(id, 9);
  remember(record, id.name, { stop: { id, sentAtMs: clock.now(), killed: true } });
}
