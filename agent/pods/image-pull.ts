import type { Container } from '../../api/container.ts';
import { backoffMs } from '../../base/backoff.ts';
import { errorChain } from '../../base/error-chain.ts';
import type { PodAssignment } from '../ledger/assignment.ts';
import type { Image, RegistryCredential } from '../ports.ts';
import { pullBackoff } from './container-plan.ts';
import { containerNamed } from './container-spec.ts';
import type { PodContext, PodPass } from './pod-context.ts';
import { podEvent } from './pod-events.ts';
import type { PodRecord } from './pod-record.ts';

/** Makes sure of a container's image in the background; wakes the pod's worker when it is there, or isn't. */
export function startPull(
  { container: name, attempt }: { readonly container: string; readonly attempt: number },
  { record, assignment }: PodPass,
  context: PodContext,
): void {
  const container = assignment && containerNamed(assignment.pod, name);
  if (!assignment || !container) return;
  const before = record.images.get(name);
  const failures = before?.state === 'failed' ? before.failures : 0;
  const abort = new AbortController();
  record.pulls.set(name, abort);
  record.images.set(name, { state: 'pulling' });
  obtain(context, { assignment, container }, abort.signal)
    .then(
      (image) => void record.images.set(name, { state: 'present', image, attempt }),
      (error) => {
        const failed = { assignment, container, failures: failures + 1, error };
        if (!abort.signal.aborted) fail(context, record, failed);
      },
    )
    .finally(() => {
      record.pulls.delete(name);
      context.wake(record.uid);
    });
}

async function obtain(
  { ports, events, clock }: PodContext,
  { assignment, container }: { assignment: PodAssignment; container: Container },
  signal: AbortSignal,
): Promise<Image> {
  const { image: reference, imagePullPolicy, name } = container;
  const tell = (reason: string, message: string) =>
    events.record(podEvent(assignment.pod, { type: 'Normal', reason, message, container: name }));
  const here = imagePullPolicy === 'Always' ? undefined : await ports.images.find(reference);
  if (here) {
    tell('Pulled', `Container image "${reference}" already present on machine`);
    return here;
  }
  if (imagePullPolicy === 'Never') throw new NeverPull(reference);
  tell('Pulling', `Pulling image "${reference}"`);
  const startedAt = clock.monotonic();
  const request = { reference, credentials: credentialsOf(assignment), onProgress: () => {} };
  const image = await ports.images.pull(request, signal);
  const seconds = ((clock.monotonic() - startedAt) / 1000).toFixed(3);
  tell(
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
  const tell = (why: string, words: string) =>
    events.record(
      podEvent(assignment.pod, {
        type: 'Warning',
        reason: why,
        message: words,
        container: container.name,
      }),
    );
  tell('Failed', `Failed to pull image "${container.image}": ${message}`);
  tell('Failed', `Error: ${reason}`);
}

/** Kubernetes' words for a waiting container. */
function pullReason(error: unknown): string {
  const reason = error instanceof Error && 'reason' in error ? error.reason : undefined;
  return reason === 'ErrImageNeverPull' || reason === 'InvalidImageName' ? reason : 'ErrImagePull';
}

/** From the pod's imagePullSecrets (kubernetes.io/dockerconfigjson). Unreadable ones are passed over: the registry will say no. */
function credentialsOf({ pod, secrets }: PodAssignment): readonly RegistryCredential[] {
  return (pod.spec.imagePullSecrets ?? []).flatMap(({ name }) => {
    const config = secrets.get(name)?.data?.['.dockerconfigjson'];
    return config === undefined ? [] : parseDockerConfig(Buffer.from(config, 'base64').toString());
  });
}

function parseDockerConfig(text: string): readonly RegistryCredential[] {
  let config: { auths?: Record<string, { auth?: string; username?: string; password?: string }> };
  try {
    config = JSON.parse(text);
  } catch {
    return [];
  }
  return Object.entries(config.auths ?? {}).map(([registry, entry]) => {
    const [user = '', ...rest] = Buffer.from(entry.auth ?? '', 'base64')
      .toString()
      .split(':');
    return {
      registry,
      username: entry.username ?? user,
      password: entry.password ?? rest.join(':'),
    };
  });
}
