import { expect, it } from 'vitest';
import { containerStatus } from '../../../../agent/pods/container-status.ts';
import {
  type FailedPull,
  freshMemory,
  type PodObservation,
} from '../../../../agent/pods/pod-observation.ts';
import { aPod, exited, running, webImage } from '../../../support/a-pod.ts';
import { groundThere, nothingThere } from '../../../support/a-pod-observation.ts';

type Status = ReturnType<typeof containerStatus>;

function statusOf(
  observed: Partial<PodObservation>,
  { now = 0, spec = {} }: { now?: number; spec?: Record<string, unknown> } = {},
): Status {
  const pod = aPod(spec);
  const [container] = pod.spec.containers;
  return containerStatus(pod, container!, { ...groundThere, ...observed, now });
}

function check(
  sentence: string,
  observed: Partial<PodObservation>,
  expected: Partial<Status>,
  at: { now?: number; spec?: Record<string, unknown> } = {},
): void {
  it(sentence, () => {
    const status = statusOf(observed, at);
    const shown = Object.keys(expected).map((key) => [key, status[key as keyof Status]]);
    expect(Object.fromEntries(shown)).toEqual(expected);
  });
}

const waiting = (reason: string, message?: string) => ({
  state: { waiting: { reason, ...(message === undefined ? {} : { message }) } },
});
const failedPull = (failures: number, reason = 'ErrImagePull'): FailedPull => ({
  ...{ state: 'failed', reason, message: 'the registry said no', retryAtMs: 60_000, failures },
});
const image = (state: FailedPull) => ({ images: new Map([['web', state]]) });
const remembered = (change: object) => ({
  memory: new Map([['web', { ...freshMemory, ...change }]]),
});
const withInit = { initContainers: [{ name: 'init', image: 'web:1' }] };
const idOf = (attempt: number) => `orc://uid-1/web/${attempt}`;

check('is ContainerCreating while nothing is there yet', nothingThere, {
  ...waiting('ContainerCreating'),
  ...{ lastState: {}, ready: false, started: false, restartCount: 0, imageID: '' },
  containerID: undefined,
});
check(
  'says what the pod waits for',
  { blocked: { reason: 'FailedMount', message: 'configmap "x" not found', retryAtMs: 9 } },
  waiting('ContainerCreating', 'configmap "x" not found'),
);
check(
  'is PodInitializing until every init container has succeeded',
  {},
  waiting('PodInitializing'),
  {
    spec: withInit,
  },
);
check(
  'tells how far the pull is',
  {
    images: new Map([
      [
        'web',
        {
          state: 'pulling',
          progress: { doneBytes: 12_345_678, totalBytes: 45_600_000, layers: [] },
          failed: undefined,
        },
      ],
    ]),
  },
  waiting('ContainerCreating', 'Pulling image: 12.3 MB of 45.6 MB'),
);
check(
  'is ErrImagePull after the first failure',
  image(failedPull(1)),
  waiting('ErrImagePull', 'the registry said no'),
);
check(
  'is ImagePullBackOff after a second one',
  image(failedPull(2)),
  waiting('ImagePullBackOff', 'Back-off pulling image "web:1": the registry said no'),
);
check(
  'stays so while the next try is under way',
  {
    images: new Map([['web', { state: 'pulling', progress: undefined, failed: failedPull(2) }]]),
  },
  waiting('ImagePullBackOff', 'Back-off pulling image "web:1": the registry said no'),
);
for (const reason of ['ErrImageNeverPull', 'InvalidImageName'])
  check(
    `stays ${reason}, however often it was tried`,
    image(failedPull(3, reason)),
    waiting(reason, 'the registry said no'),
  );
for (const reason of ['CreateContainerConfigError', 'StartError', 'RunContainerError'])
  check(
    `is ${reason} when a start failed so`,
    remembered({ startFailure: { reason, message: 'why', failures: 1, retryAtMs: 9 } }),
    waiting(reason, 'why'),
  );
check(
  'is running',
  {
    containers: [running('web', 0, 5000)],
    images: new Map([['web', { state: 'present', image: webImage, attempt: 0 }]]),
  },
  {
    state: { running: { startedAt: '1970-01-01T00:00:05Z' } },
    ...{ lastState: {}, ready: true, started: true, restartCount: 0 },
    ...{ image: 'web:1', imageID: 'sha256:aa', containerID: idOf(0) },
  },
);

const crashed = exited('web', 0, { exitCode: 1, startedAt: 1000, at: 3000 });
const crashedState = {
  exitCode: 1,
  reason: 'Error',
  startedAt: '1970-01-01T00:00:01Z',
  finishedAt: '1970-01-01T00:00:03Z',
  containerID: idOf(0),
};
check(
  'shows the run before, and counts restarts',
  { containers: [crashed, running('web', 1)] },
  { lastState: { terminated: crashedState }, restartCount: 1, ready: true },
);
check(
  'is CrashLoopBackOff while a restart waits, the last run in lastState',
  { containers: [crashed], ...remembered({ streak: 1 }) },
  {
    ...waiting('CrashLoopBackOff', 'back-off 10s restarting failed container=web pod=web_default'),
    lastState: { terminated: crashedState },
    ...{ ready: false, started: false, restartCount: 0 },
  },
  { now: 4000 },
);
check(
  'is terminated between the end of a run and the next start',
  { containers: [crashed] },
  { state: { terminated: crashedState }, lastState: {}, ready: false },
  { now: 4000 },
);
check(
  'shows the failed pull of a restart, and the last run',
  { containers: [crashed], ...image(failedPull(1)) },
  { ...waiting('ErrImagePull', 'the registry said no'), lastState: { terminated: crashedState } },
);

const never = { spec: { restartPolicy: 'Never' } };
const ends = (exit: Parameters<typeof exited>[2]) => ({ containers: [exited('web', 0, exit)] });
const termination = (status: Status) => {
  const { exitCode, signal, reason } = status.state.terminated ?? {};
  return { exitCode, signal, reason };
};
it.each([
  ['Completed', { exitCode: 0, at: 0 }, 0],
  ['Error', { exitCode: 3, at: 0 }, 3],
  ['OOMKilled', { exitCode: 137, at: 0, oomKilled: true }, 137],
])('is terminated as %s', (reason, exit, exitCode) => {
  expect(termination(statusOf(ends(exit), never))).toEqual({ exitCode, reason, signal: undefined });
});

it('shows what the container left as its last message', () => {
  const status = statusOf(ends({ exitCode: 1, at: 0, message: 'no database' }), never);
  expect(status.state.terminated?.message).toBe('no database');
});

const lost = { ...running('web', 4), state: 'lost' as const };
check(
  'is ContainerStatusUnknown when it was lost for good',
  remembered({ lost }),
  {
    state: {
      terminated: {
        exitCode: 137,
        reason: 'ContainerStatusUnknown',
        message: 'The process that kept this container was lost, and the container with it',
        startedAt: '1970-01-01T00:00:00Z',
        containerID: idOf(4),
      },
    },
    restartCount: 4,
  },
  never,
);
it('has the lost run as its last one after the restart', () => {
  const status = statusOf({ containers: [running('web', 5)], ...remembered({ lost }) });
  expect(status.lastState.terminated?.reason).toBe('ContainerStatusUnknown');
  expect(status.restartCount).toBe(5);
});

const probe = { exec: { command: ['true'] } };
const probed = (fields: object) => ({
  spec: { containers: [{ name: 'web', image: 'web:1', ...fields }] },
});
const verdicts = (states: object) => ({
  containers: [running('web', 0)],
  probes: new Map([
    ['web', { startup: undefined, readiness: undefined, liveness: undefined, ...states }],
  ]),
});
const bothProbes = probed({ startupProbe: probe, readinessProbe: probe });
for (const [words, states, expected] of [
  ['is not started before its startup probe says so', {}, { started: false, ready: false }],
  ['is not ready before its readiness probe', { startup: true }, { started: true, ready: false }],
  ['is ready when both say so', { startup: true, readiness: true }, { started: true, ready: true }],
  ['is not ready when it isn’t any more', { startup: true, readiness: false }, { ready: false }],
] as const)
  check(words, verdicts(states), expected, bothProbes);
