import { describe, expect, it } from 'vitest';
import type { PodObservation } from '../../../../agent/pods/pod-observation.ts';
import { podStatus } from '../../../../agent/pods/pod-status.ts';
import type { PodStatus } from '../../../../api/pod-status.ts';
import { aPod, exited, running } from '../../../support/a-pod.ts';
import { groundThere, nothingThere } from '../../../support/a-pod-observation.ts';

type Json = Readonly<Record<string, unknown>>;

function statusOf(
  observed: Partial<PodObservation>,
  change: { spec?: Json; now?: number; previous?: PodStatus } = {},
): PodStatus {
  return podStatus({
    pod: aPod(change.spec),
    observed: { ...groundThere, ...observed, now: change.now ?? 2000 },
    hostIp: '172.30.0.11',
    startedAtMs: 1000,
    previous: change.previous?.conditions,
  });
}

const two = { containers: ['a', 'b'].map((name) => ({ name, image: 'web:1' })) };
const ended = (name: string, exitCode: number) => exited(name, 0, { exitCode, at: 0 });

describe('the phase', () => {
  it.each<[string, string, Partial<PodObservation>, Json]>([
    ['Pending', 'nothing runs', {}, two],
    ['Pending', 'one container has not begun', { containers: [running('a', 0)] }, two],
    ['Running', 'all have begun', { containers: [running('a', 0), running('b', 0)] }, two],
    ['Running', 'one is between two runs', { containers: [running('a', 0), ended('b', 1)] }, two],
    [
      'Running',
      'one has ended for good, another goes on',
      { containers: [running('a', 0), ended('b', 0)] },
      { ...two, restartPolicy: 'Never' },
    ],
    [
      'Succeeded',
      'all have ended well',
      { containers: [ended('a', 0), ended('b', 0)] },
      { ...two, restartPolicy: 'OnFailure' },
    ],
    [
      'Failed',
      'one of those that ended has failed',
      { containers: [ended('a', 0), ended('b', 1)] },
      { ...two, restartPolicy: 'Never' },
    ],
    [
      'Failed',
      'an init container has failed for good',
      { containers: [ended('init', 1)] },
      { restartPolicy: 'Never', initContainers: [{ name: 'init', image: 'web:1' }] },
    ],
    ['Running', 'an Always pod’s containers have ended', { containers: [ended('web', 0)] }, {}],
  ])('is %s when %s', (phase, _, observed, spec) => {
    expect(statusOf(observed, { spec }).phase).toBe(phase);
  });

  it('stays what it was when the end is known already', () => {
    const pod = { ...aPod({ restartPolicy: 'Never' }), status: { phase: 'Succeeded' as const } };
    const lost = { ...running('web', 0), state: 'lost' as const };
    const status = podStatus({
      ...{ pod, observed: { ...groundThere, containers: [lost] } },
      ...{ hostIp: '1.2.3.4', startedAtMs: 0, previous: undefined },
    });
    expect(status.phase).toBe('Succeeded');
  });
});

const conditionsOf = (status: PodStatus) =>
  Object.fromEntries(
    (status.conditions ?? []).map(({ type, status: is, reason }) => [
      type,
      reason === undefined ? is : `${is} ${reason}`,
    ]),
  );

describe('the conditions', () => {
  it('are all False at first', () => {
    expect(conditionsOf(statusOf({ sandbox: undefined }))).toEqual({
      PodReadyToStartContainers: 'False',
      Initialized: 'True',
      Ready: 'False ContainersNotReady',
      ContainersReady: 'False ContainersNotReady',
    });
  });

  it('name the containers that are not ready', () => {
    const { conditions } = statusOf({ containers: [running('a', 0)] }, { spec: two });
    expect(conditions?.find((c) => c.type === 'Ready')?.message).toBe(
      'containers with unready status: [b]',
    );
  });

  it('name the init containers that have not succeeded', () => {
    const spec = { initContainers: [{ name: 'init', image: 'web:1' }] };
    const { conditions } = statusOf({}, { spec });
    expect(conditions?.find((c) => c.type === 'Initialized')).toMatchObject({
      status: 'False',
      reason: 'ContainersNotInitialized',
      message: 'containers with incomplete status: [init]',
    });
  });

  it.each([
    ['PodCompleted', 0, 'True PodCompleted'],
    ['PodFailed', 1, 'True'],
  ])('say %s at the end', (reason, exitCode, initialized) => {
    const status = statusOf(
      { containers: [ended('web', exitCode)] },
      { spec: { restartPolicy: 'Never' } },
    );
    expect(conditionsOf(status)).toEqual({
      PodReadyToStartContainers: 'True',
      Initialized: initialized,
      Ready: `False ${reason}`,
      ContainersReady: `False ${reason}`,
    });
  });

  it('keep their time of transition as long as they stay as they are', () => {
    const before = statusOf({}, { now: 5000 });
    const after = statusOf({ containers: [running('web', 0)] }, { now: 9000, previous: before });
    const times = Object.fromEntries(
      (after.conditions ?? []).map((c) => [c.type, c.lastTransitionTime]),
    );
    expect(times).toEqual({
      PodReadyToStartContainers: '1970-01-01T00:00:05Z',
      Initialized: '1970-01-01T00:00:05Z',
      Ready: '1970-01-01T00:00:09Z',
      ContainersReady: '1970-01-01T00:00:09Z',
    });
  });
});

describe('the rest', () => {
  it('has addresses and the time of its start', () => {
    expect(statusOf({})).toMatchObject({
      hostIP: '172.30.0.11',
      hostIPs: [{ ip: '172.30.0.11' }],
      podIP: '10.244.0.2',
      podIPs: [{ ip: '10.244.0.2' }],
      startTime: '1970-01-01T00:00:01Z',
      qosClass: 'BestEffort',
    });
  });

  it('has no pod address before there is one', () => {
    const status = statusOf({ ...nothingThere });
    expect([status.podIP, status.podIPs]).toEqual([undefined, undefined]);
  });

  it('has the host’s address for a pod in the host’s network', () => {
    const spec = { hostNetwork: true, hostUsers: true };
    expect(statusOf({ network: undefined }, { spec }).podIP).toBe('172.30.0.11');
  });

  it('says what the pod as a whole waits for', () => {
    const blocked = { reason: 'FailedMount', message: 'secret "x" not found', retryAtMs: 9 };
    expect(statusOf({ blocked }).message).toBe('secret "x" not found');
  });

  it('counts an init container as ready when it has succeeded', () => {
    const spec = { initContainers: ['a', 'b'].map((name) => ({ name, image: 'web:1' })) };
    const status = statusOf({ containers: [ended('a', 0), running('b', 0)] }, { spec });
    expect(status.initContainerStatuses?.map((c) => c.ready)).toEqual([true, false]);
  });
});
