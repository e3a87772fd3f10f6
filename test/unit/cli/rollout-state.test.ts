import { describe, expect, it } from 'vitest';
import { Deployment } from '../../../api/deployment.ts';
import type { Event } from '../../../api/event.ts';
import { formatPull, imagePulls } from '../../../cli/image-pulls.ts';
import { rolloutState } from '../../../cli/rollout-state.ts';
import { aPod } from '../../support/a-pod.ts';
import { stored } from '../../support/parse.ts';

const template = {
  metadata: { labels: { app: 'web' } },
  spec: { containers: [{ name: 'web', image: 'web:1' }] },
};

function deployment(status: Deployment['status']): Deployment {
  const spec = { replicas: 3, selector: { matchLabels: { app: 'web' } }, template };
  const object = stored(Deployment, { metadata: { name: 'web' }, spec });
  return { ...object, metadata: { ...object.metadata, generation: 2 }, status };
}

const counts = (replicas: number, updatedReplicas: number, availableReplicas: number) => ({
  ...{ observedGeneration: 2, replicas, updatedReplicas, availableReplicas },
});

describe('rolloutState', () => {
  const cases: readonly [title: string, status: Deployment['status'], expected: object][] = [
    [
      'has not begun while the status is of the spec before',
      { ...counts(3, 3, 3), observedGeneration: 1 },
      { phase: 'going', ready: 0 },
    ],
    ['counts what is both new and available', counts(4, 2, 4), { phase: 'going', ready: 2 }],
    ['goes on while old pods are left', counts(4, 3, 4), { phase: 'going', ready: 3 }],
    ['is done when all are new and available', counts(3, 3, 3), { phase: 'done', ready: 3 }],
    [
      'is stuck when the deadline has passed',
      {
        ...counts(3, 1, 2),
        conditions: [
          {
            type: 'Progressing',
            status: 'False',
            reason: 'ProgressDeadlineExceeded',
            message: 'm',
          },
        ],
      },
      { phase: 'stuck', message: 'm' },
    ],
  ];
  for (const [title, status, expected] of cases)
    it(title, () => expect(rolloutState(deployment(status), [])).toMatchObject(expected));

  it('is not done while a pod that counts as available has just ended', () => {
    const state = { terminated: { exitCode: 1, reason: 'Error' } };
    const web = { ...{ name: 'web', image: 'web:1', imageID: '' }, ready: false, restartCount: 0 };
    const containerStatuses = [{ ...web, state, lastState: {} }];
    const pod = { ...aPod(), status: { phase: 'Running' as const, containerStatuses } };
    expect(rolloutState(deployment(counts(3, 3, 3)), [pod])).toMatchObject({
      phase: 'going',
      failing: [{ reason: 'Error', exitCode: 1 }],
    });
  });

  const failures: readonly [title: string, status: object, expected: readonly object[]][] = [
    [
      'names a container that keeps ending, with its exit code',
      {
        containerStatuses: [
          {
            name: 'web',
            state: { waiting: { reason: 'CrashLoopBackOff' } },
            lastState: { terminated: { exitCode: 3 } },
          },
        ],
      },
      [{ container: 'web', reason: 'CrashLoopBackOff', exitCode: 3 }],
    ],
    [
      'names a pod that fits nowhere, with the scheduler’s words',
      {
        conditions: [
          { type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message: 'no nodes' },
        ],
      },
      [{ reason: 'Unschedulable', message: 'no nodes' }],
    ],
    [
      'leaves alone what is merely starting',
      {
        containerStatuses: [
          { name: 'web', state: { waiting: { reason: 'ContainerCreating' } }, lastState: {} },
        ],
      },
      [],
    ],
  ];
  for (const [title, status, expected] of failures)
    it(title, () => {
      const pod = { ...aPod(), status: { phase: 'Pending' as const, ...status } };
      expect(rolloutState(deployment(counts(3, 0, 0)), [pod]).failing).toMatchObject(expected);
    });
});

describe('imagePulls', () => {
  const event = (uid: string, message: string) => ({ involvedObject: { uid }, message }) as Event;
  const pulled = (uid: string, seconds: string) =>
    event(uid, `Successfully pulled image "hello:1" in ${seconds}s. Image size: 2100000 bytes.`);
  const pods = [
    aPod({ nodeName: 'host2' }, { uid: 'a' }),
    aPod({ nodeName: 'host1' }, { uid: 'b' }),
    aPod({ nodeName: 'host1' }, { uid: 'c' }),
  ];

  it('gathers pulls by image and node, and leaves other pods and other messages out', () => {
    const events = [
      pulled('a', '0.210'),
      pulled('b', '0.050'),
      pulled('c', '0.310'),
      pulled('other', '9'),
      event('a', 'Container image "hello:1" already present on machine'),
    ];
    const pulls = imagePulls(events, pods);
    expect(pulls.map(formatPull)).toEqual(['hello:1  2.1 MB · host1 0.3 s · host2 0.2 s']);
  });
});
