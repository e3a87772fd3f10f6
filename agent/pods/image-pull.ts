import type { Container } from '../../api/container.ts';
import { backoffMs } from '../../base/backoff.ts';
import { errorChain } from '../../base/error-chain.ts';
import type { PodAssignment } from '../ledger/assignment.ts';
import type { Image, PullProgress } from '../ports.ts';
import { pullBackoff } from './container-plan.ts';
import { containerNamed } from './container-spec.ts';
import type { Start } from './pod-action.ts';
import { type PodEvent, type PodPass, tell } from './pod-context.ts';
import type { FailedPull } from './pod-observation.ts';
import { registryCredentials } from './registry-credentials.ts';

/** Makes sure of a container's image in the background; wakes the pod's worker when it is there, or isn't. */
export function startPull({ container: name, attempt }: Start, pass: PodPass): void {
  const { record, assignment } = pass;
  const container = assignment && containerNamed(assignment.pod, name);
  if (!assignment || !container) return;
  const before = record.images.get(name);
  const failed = before?.state === 'failed' ? before : undefined;
  const say: Pull['say'] = (type, reason, message) =>
    tell(pass, { type, reason, message, container: name });
  const pull: Pull = { pass, assignment, container, failed, say };
  const abort = new AbortController();
  record.pulls.set(name, abort);
  record.images.set(name, { state: 'pulling', progress: undefined, failed });
  obtain(pull, abort.signal)
    .then(
      (image) => void record.images.set(name, { state: 'present', image, attempt }),
      (error) => {
        if (abort.signal.aborted) record.images.delete(name);
        else fail(pull, error);
      },
    )
    .finally(() => {
      record.pulls.delete(name);
      pass.wake(record.uid);
    });
}

interface Pull {
  readonly pass: PodPass;
  readonly assignment: PodAssignment;
  readonly container: Container;
  /** How it went the last time. */
  readonly failed: FailedPull | undefined;
  readonly say: (type: PodEvent['type'], reason: string, message: string) => void;
}

/** How far a pull is, is told at most this often: every time is a status for the controller. */
const progressEveryMs = 2000;
/** For those who look later, in an event. */
const eventEveryMs = 15_000;

function progressOf({ pass, container, failed, say }: Pull): (progress: PullProgress) => void {
  const { record, clock, wake } = pass;
  let toldAtMs = clock.monotonic();
  let saidAtMs = toldAtMs;
  return (progress) => {
    const nowMs = clock.monotonic();
    const isCurrent = record.images.get(container.name)?.state === 'pulling';
    if (!isCurrent || nowMs - toldAtMs < progressEveryMs) return;
    toldAtMs = nowMs;
    record.images.set(container.name, { state: 'pulling', progress, failed });
    wake(record.uid);
    if (nowMs - saidAtMs < eventEveryMs) return;
    saidAtMs = nowMs;
    const [done, total] = [progress.doneBytes, progress.totalBytes].map(megabytes);
    say('Normal', 'Pulling', `Pulling image "${container.image}": ${done} of ${total} MB`);
  };
}

const megabytes = (bytes: number) => (bytes / 1e6).toFixed(1);

async function obtain(pull: Pull, signal: AbortSignal): Promise<Image> {
  const { assignment, say } = pull;
  const { images } = pull.pass.ports;
  const { clock } = pull.pass;
  const { image: reference, imagePullPolicy } = pull.container;
  const onProgress = progressOf(pull);
  const here = imagePullPolicy === 'Always' ? undefined : await images.find(reference);
  if (here) {
    say('Normal', 'Pulled', `Container image "${reference}" already present on machine`);
    return here;
  }
  if (imagePullPolicy === 'Never') throw new NeverPull(reference);
  say('Normal', 'Pulling', `Pulling image "${reference}"`);
  const startedAt = clock.monotonic();
  const request = { reference, credentials: registryCredentials(assignment), onProgress };
  const image = await images.pull(request, signal);
  const seconds = ((clock.monotonic() - startedAt) / 1000).toFixed(3);
  const size = `Image size: ${image.sizeBytes} bytes.`;
  say('Normal', 'Pulled', `Successfully pulled image "${reference}" in ${seconds}s. ${size}`);
  return image;
}

class NeverPull extends Error {
  readonly reason = 'ErrImageNeverPull';
  constructor(reference: string) {
    super(`Container image "${reference}" is not present with pull policy of Never`);
  }
}

function fail({ pass, container, failed, say }: Pull, error: unknown): void {
  const { name, image } = container;
  const message = errorChain(error);
  const reason = pullReason(error);
  const failures = (failed?.failures ?? 0) + 1;
  const retryAtMs = pass.clock.now() + backoffMs(pullBackoff, failures);
  pass.record.images.set(name, { state: 'failed', reason, message, failures, retryAtMs });
  say('Warning', 'Failed', `Failed to pull image "${image}": ${message}`);
  say('Warning', 'Failed', `Error: ${reason}`);
  say('Normal', 'BackOff', `Back-off pulling image "${image}"`);
}

const kubernetesReasons: ReadonlySet<string> = new Set([
  ...['ErrImageNeverPull', 'InvalidImageName', 'SignatureValidationFailed'],
]);

/** Kubernetes' words for a waiting container. */
function pullReason(error: unknown): string {
  const reason = error instanceof Error && 'reason' in error ? error.reason : undefined;
  return typeof reason === 'string' && kubernetesReasons.has(reason) ? reason : 'ErrImagePull';
}
