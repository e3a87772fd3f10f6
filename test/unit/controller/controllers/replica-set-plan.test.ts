import { describe, expect, it } from 'vitest';
import { Pod } from '../../../../api/pod.ts';
import { ReplicaSet } from '../../../../api/replica-set.ts';
import { planReplicaSet } from '../../../../controller/controllers/replica-set-plan.ts';
import { anObject } from '../../../support/an-object.ts';

const start = Date.parse('2026-01-01T00:00:00Z');
const template = {
  metadata: { labels: { app: 'web' } },
  spec: { containers: [{ name: 'web', image: 'web:1' }] },
};
const sets = (replicas: number, spec: object = {}, stored: object = {}) =>
  anObject(
    ReplicaSet,
    {
      metadata: { name: 'web' },
      spec: { replicas, selector: { matchLabels: { app: 'web' } }, template, ...spec },
    },
    { generation: 3, ...stored },
  );
interface PodOptions {
  readonly phase?: Pod['status']['phase'];
  readonly node?: string | undefined;
  /** Seconds after the start. */
  readonly readyAt?: number;
  readonly createdAt?: number;
  readonly restarts?: number;
  readonly deleting?: boolean;
  readonly cost?: string;
}
const time = (seconds: number) => new Date(start + seconds * 1000).toISOString();
function pod(name: string, options: PodOptions = {}): Pod {
  const { phase = 'Running', readyAt, createdAt = 0, restarts = 0 } = options;
  const node = 'node' in options ? options.node : 'n1';
  const object = anObject(
    Pod,
    {
      metadata: {
        name,
        labels: { app: 'web' },
        ...(options.cost
          ? { annotations: { 'controller.kubernetes.io/pod-deletion-cost': options.cost } }
          : {}),
      },
      spec: { ...template.spec, ...(node ? { nodeName: node } : {}) },
    },
    {
      creationTimestamp: time(createdAt),
      ...(options.deleting ? { deletionTimestamp: time(0) } : {}),
    },
  );
  const ready =
    readyAt === undefined
      ? ({ type: 'Ready', status: 'False' } as const)
      : ({ type: 'Ready', status: 'True', lastTransitionTime: time(readyAt) } as const);
  const container = { name: 'web', state: {}, lastState: {}, ready: true, image: '', imageID: '' };
  const containerStatuses = [{ ...container, restartCount: restarts }];
  return { ...object, status: { ...object.status, phase, conditions: [ready], containerStatuses } };
}
const plan = (replicaSet: ReplicaSet, pods: readonly Pod[], now = start) =>
  planReplicaSet({ replicaSet, pods, mayCreate: true, now });
const removed = (wanted: number, pods: readonly Pod[]) =>
  plan(sets(wanted), pods).remove.map(({ metadata }) => metadata.name);

describe('the plan of a ReplicaSet', () => {
  it('creates what is missing; pods that ended or are ending do not count', () => {
    const pods = [
      pod('a'),
      pod('b', { phase: 'Failed' }),
      pod('c', { phase: 'Succeeded' }),
      pod('d', { deleting: true }),
    ];
    expect(plan(sets(3), pods)).toMatchObject({ create: 2, remove: [] });
  });

  it('creates nothing in a namespace that is being emptied', () => {
    const observation = { replicaSet: sets(3), pods: [], mayCreate: false, now: start };
    expect(planReplicaSet(observation).create).toBe(0);
  });

  it('creates at most 500 at once', () => {
    expect(plan(sets(2000), []).create).toBe(500);
  });

  it('makes and removes nothing once it is being deleted', () => {
    const going = sets(5, {}, { deletionTimestamp: time(0) });
    expect(plan(going, [pod('a')])).toMatchObject({ create: 0, remove: [] });
  });

  it('counts pods by how far they are', () => {
    const pods = [pod('a', { readyAt: 0 }), pod('b', { readyAt: 8 }), pod('c')];
    const { status, requeueAfterMs } = plan(sets(3, { minReadySeconds: 5 }), pods, start + 10_000);
    expect(status).toEqual({
      replicas: 3,
      fullyLabeledReplicas: 3,
      readyReplicas: 2,
      availableReplicas: 1,
      observedGeneration: 3,
    });
    expect(requeueAfterMs, 'b is available after 13 seconds').toBe(3000);
  });
});

describe('the pods that a ReplicaSet gives up first', () => {
  const check = (name: string, pods: readonly Pod[], first: string) =>
    it(name, () => expect(removed(pods.length - 1, pods)).toEqual([first]));
  const ready = { readyAt: 0 };

  check(
    'are those without a node',
    [pod('a', ready), pod('b', { node: undefined, ...ready })],
    'b',
  );
  check('then those not running yet', [pod('a', ready), pod('b', { phase: 'Pending' })], 'b');
  check('then those not ready', [pod('a', ready), pod('b'), pod('c', ready)], 'b');
  check('then those that cost less', [pod('a', { ...ready, cost: '5' }), pod('b', ready)], 'b');
  check(
    'of which a cost that is no number says nothing',
    [pod('a', { ...ready, cost: 'much', restarts: 0 }), pod('b', { ...ready, restarts: 2 })],
    'b',
  );
  check(
    'then those with company on their node',
    [pod('a', { ...ready, node: 'n2' }), pod('b', ready), pod('c', { ...ready, readyAt: 1 })],
    'c',
  );
  check(
    'then those ready for the shortest time',
    [pod('a', { readyAt: 1, node: 'n1' }), pod('b', { readyAt: 2, node: 'n2' })],
    'b',
  );
  check(
    'then those that restarted most',
    [pod('a', { ...ready, restarts: 1 }), pod('b', { ...ready, restarts: 7 })],
    'b',
  );
  check(
    'then the youngest',
    [pod('a', { ...ready, createdAt: 1 }), pod('b', { ...ready, createdAt: 2 })],
    'b',
  );
});
