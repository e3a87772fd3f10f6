import type { Container } from '../../api/container.ts';
import { backoffMs } from '../../base/backoff.ts';
import { errorChain } from '../../base/error-chain.ts';
import type { PodAssignment } from '../ledger/assignment.ts';
import type { Image, PullProgress } from '../ports.ts';
import { pullBackoff } from './container-plan.ts';
import { containerNamed } from './container-spec.ts';
import type { PodContext, PodPass } from './pod-context.ts';
import { type PodEvent, tell } from './pod-events.ts';
import type { FailedPull } from './pod-observation.ts';
import type { PodRecord } from './pod-record.ts';
import { registryCredentials } from './registry-credentials.ts';

/** Makes sure of a container's image in the background; wakes the pod's worker when it is there, or isn't. */
export function startPull(
  { container: name, attempt }: { readonly container: string; readonly attempt: number },
  { record, assignment }: PodPass,
  context: PodContext,
): void {
  const container = assignment && containerNamed(assignment.pod, name);
  if (!assignment || !container) return;
  const before = record.images.get(name);
  const failed = before?.state === 'failed' ? before : undefined;
  const abort = new AbortController();
  record.pulls.set(name, abort);
  record.images.set(name, { state: 'pulling', progress: undefined, failed });
  const onProgress = progressOf(context, record, { name, failed });
  obtain(context, { assignment, container, onProgress }, abort.signal)
    .then(
      (image) => void record.images.set(name, { state: 'present', image, attempt }),
      (error) => {
        const failures = (failed?.failures ?? 0) + 1;
        if (abort.signal.aborted) record.images.delete(name);
        else fail(context, record, { assignment, container, failures, error });
      },
    )
    .finally(() => {
      record.pulls.delete(name);
      context.wake(record.uid);
    });
}

/** How far a pull is, is told at most this often: every time is a status for the controller. */
const progressEveryMs = 2000;

function progressOf(
  { clock, wake }: PodContext,
  record: PodRecord,
  pull: { readonly name: string; readonly failed: FailedPull | undefined },
): (progress: PullProgress) => void {
  let toldAtMs = clock.monotonic();
  return (progress) => {
    const isCurrent = record.images.get(pull.name)?.state === 'pulling';
    if (!isCurrent || clock.monotonic() - toldAtMs < progressEveryMs) return;
    toldAtMs = clock.monotonic();
    record.images.set(pull.name, { state: 'pulling', progress, failed: pull.failed });
    wake(record.uid);
  };
}

async function obtain(
  { ports, events, clock }: PodContext,
  wanted: {
    readonly assignment: PodAssignment;
    readonly container: Container;
    readonly onProgress: (progress: PullProgress) => void;
  },
  signal: AbortSignal,
): Promise<Image> {
  const { assignment, onProgress } = wanted;
  const { image: reference, imagePullPolicy, name } = wanted.container;
  const say = (reason: string, message: string) =>
    tell(events, assignment.pod, { type: 'Normal', reason, message, container: name });
  const here = imagePullPolicy === 'Always' ? undefined : await ports.images.find(reference);
  if (here) {
    say('Pulled', `Container image "${reference}" already present on machine`);
    return here;
  }
  if (imagePullPolicy === 'Never') throw new NeverPull(reference);
  say('Pulling', `Pulling image "${reference}"`);
  const startedAt = clock.monotonic();
  const request = { reference, credentials: registryCredentials(assignment), onProgress };
  const image = await ports.images.pull(request, signal);
  const seconds = ((clock.monotonic() - startedAt) / 1000).toFixed(3);
  say(
    'Pulled',
    `Successfully pulled image "${reference}" in ${seconds}s. Image size: ${image.sizeBytes} bytes.`,
  );
  return image;
}

class NeverPull extends Error {
  readonly reason = 'ErrImageNeverPull';
  constructor(reference: string) {
    super(`Container image "${reference}" is not present with pull policy of Never`);
  }
}

function fail(
  { clock, events }: PodContext,
  record: PodRecord,
  failed: {
    readonly assignment: PodAssignment;
    readonly container: Container;
    readonly failures: number;
    readonly error: unknown;
  },
): void {
  const { assignment, container, failures, error } = failed;
  const message = errorChain(error);
  const reason = pullReason(error);
  const retryAtMs = clock.now() + backoffMs(pullBackoff, failures);
  record.images.set(container.name, { state: 'failed', reason, message, failures, retryAtMs });
  const { name, image } = container;
  const say = (type: PodEvent['type'], why: string, words: string) =>
    tell(events, assignment.pod, { type, reason: why, message: words, container: name });
  say('Warning', 'Failed', `Failed to pull image "${image}": ${message}`);
  say('Warning', 'Failed', `Error: ${reason}`);
  say('Normal', 'BackOff', `Back-off pulling image "${image}"`);
}

/** Kubernetes' words for a waiting container. */
function pullReason(error: unknown): string {
  const reason = error instanceof Error && 'reason' in error ? error.reason : undefined;
  return reason === 'ErrImageNeverPull' || reason === 'InvalidImageName' ? reason : 'ErrImagePull';
}
