import { describe, expect, it } from 'vitest';
import { Lease } from '../../../../api/lease.ts';
import { Node } from '../../../../api/node.ts';
import { Pod } from '../../../../api/pod.ts';
import { formatMicroTime } from '../../../../base/clock.ts';
import {
  evictionTime,
  planNode,
  planPodReadiness,
} from '../../../../controller/controllers/node-lifecycle-plan.ts';
import { anObject } from '../../../support/an-object.ts';

const start = Date.parse('2026-01-01T00:00:00Z');
const at = (seconds: number) => new Date(start + seconds * 1000).toISOString();
type Ready = 'True' | 'False' | 'Unknown';
const node = (ready: Ready, taints?: Node['spec']['taints']): Node => ({
  ...anObject(Node, { metadata: { name: 'n1' }, spec: taints ? { taints } : {} }),
  status: { conditions: [{ type: 'Ready', status: ready }] },
});
const renewed = (seconds: number) =>
  anObject(Lease, {
    metadata: { name: 'n1', namespace: 'kube-node-lease' },
    spec: { renewTime: formatMicroTime(Date.parse(at(seconds))), leaseDurationSeconds: 4 },
  });
const plan = (of: Node, seconds: number, lease: Lease | undefined = renewed(0)) =>
  planNode({ node: of, lease, now: start + seconds * 1000, listeningSince: start - 1e6 });
const brief = ({ node: { spec, status } }: ReturnType<typeof plan>) => ({
  ready: status.conditions?.find(({ type }) => type === 'Ready')?.status,
  taints: spec.taints?.map(({ key, effect }) => `${key}:${effect}`),
});
const unreachable = [
  'node.kubernetes.io/unreachable:NoSchedule',
  'node.kubernetes.io/unreachable:NoExecute',
];

describe('a node', () => {
  it('is left alone while its lease is renewed', () => {
    const alive = node('True');
    const { node: next, isLost, nextCheckAt } = plan(alive, 3.9);
    expect([next, isLost, nextCheckAt]).toEqual([alive, false, start + 4000]);
    expect(next, 'nothing to write').toBe(alive);
  });

  it('is unknown and tainted when the lease has run out', () => {
    const lost = plan(node('True'), 4);
    expect([lost.isLost, lost.nextCheckAt]).toEqual([true, undefined]);
    expect(brief(lost)).toEqual({ ready: 'Unknown', taints: unreachable });
  });

  it('keeps the time of its taints, so that pods leave in time', () => {
    const lost = plan(node('True'), 4).node;
    expect(plan(lost, 60).node).toBe(lost);
  });

  it('gets no new pods while it says that it runs short, and gets them again after', () => {
    const short = (status: 'True' | 'False', taints: Node['spec']['taints'] = []): Node => ({
      ...node('True', taints),
      status: { conditions: [...ready, { type: 'DiskPressure', status }] },
    });
    const ready = node('True').status.conditions ?? [];
    const gpu = { key: 'gpu', effect: 'NoSchedule' } as const;
    const full = plan(short('True', [gpu]), 1);
    const keys = ['gpu:NoSchedule', 'node.kubernetes.io/disk-pressure:NoSchedule'];
    expect(brief(full)).toEqual({ ready: 'True', taints: keys });
    expect(plan(full.node, 1).node, 'nothing to write').toBe(full.node);
    const roomy = { ...full.node, status: short('False').status };
    expect(brief(plan(roomy, 1))).toEqual({ ready: 'True', taints: ['gpu:NoSchedule'] });
  });

  it('loses the taints when it is ready again, and keeps those of others', () => {
    const foreign = { key: 'gpu', effect: 'NoSchedule' } as const;
    const lost = plan(node('True', [foreign]), 4).node;
    const back = { ...lost, status: node('True').status };
    expect(brief(plan(back, 61, renewed(60)))).toEqual({
      ready: 'True',
      taints: ['gpu:NoSchedule'],
    });
  });

  it('that says itself that it is not ready is tainted so', () => {
    expect(brief(plan(node('False'), 1)).taints).toEqual([
      'node.kubernetes.io/not-ready:NoSchedule',
      'node.kubernetes.io/not-ready:NoExecute',
    ]);
  });

  it('is not blamed for silence while nobody listened', () => {
    const { isLost, nextCheckAt } = planNode({
      node: node('True'),
      lease: renewed(0),
      now: start + 3_600_000,
      listeningSince: start + 3_599_000,
    });
    expect([isLost, nextCheckAt]).toEqual([false, start + 3_609_000]);
  });

  it('has four seconds for its first sign of life', () => {
    expect(plan(node('True'), 3, undefined).isLost).toBe(false);
  });
});

describe('a pod', () => {
  const pod = (status: 'True' | 'False', reason?: string): Pod => {
    const containers = [{ name: 'c', image: 'c:1' }];
    const object = anObject(Pod, { metadata: { name: 'p' }, spec: { containers } });
    const ready = { type: 'Ready', status, ...(reason ? { reason } : {}) };
    const conditions = [{ type: 'PodScheduled', status: 'True' as const }, ready];
    return { ...object, status: { ...object.status, conditions } };
  };
  const ready = (of: Pod) => of.status.conditions?.[1];
  const now = start + 5000;

  it('is not ready while its node is lost', () => {
    expect(ready(planPodReadiness(pod('True'), true, now))).toEqual({
      type: 'Ready',
      status: 'False',
      reason: 'NodeLost',
      lastTransitionTime: '2026-01-01T00:00:05Z',
    });
  });

  it('is ready again with its node, if its agent has not said otherwise since', () => {
    expect(ready(planPodReadiness(pod('False', 'NodeLost'), false, now))).toEqual({
      type: 'Ready',
      status: 'True',
      lastTransitionTime: '2026-01-01T00:00:05Z',
    });
    const said = pod('False', 'ContainersNotReady');
    expect(planPodReadiness(said, false, now)).toBe(said);
  });

  it('is left alone where nothing is to be changed', () => {
    const lost = pod('False', 'NodeLost');
    expect(planPodReadiness(lost, true, now)).toBe(lost);
    const alive = pod('True');
    expect(planPodReadiness(alive, false, now)).toBe(alive);
  });
});

describe('the time when a pod leaves a tainted node', () => {
  const check = (
    name: string,
    [tolerations, taint]: [readonly object[], Partial<NonNullable<Node['spec']['taints']>[number]>],
    expected: number | undefined,
  ) =>
    it(name, () => {
      const pod = anObject(Pod, {
        metadata: { name: 'p' },
        spec: { containers: [{ name: 'c', image: 'c:1' }], tolerations },
      });
      const full = {
        key: 'node.kubernetes.io/unreachable',
        effect: 'NoExecute',
        timeAdded: at(10),
        ...taint,
      } as const;
      const time = evictionTime(pod, [full]);
      expect(time === undefined ? undefined : (time - start) / 1000).toBe(expected);
    });

  check('is two seconds after the node was lost', [[], {}], 12);
  check(
    'is after its own tolerationSeconds',
    [
      [
        {
          key: 'node.kubernetes.io/unreachable',
          operator: 'Exists',
          effect: 'NoExecute',
          tolerationSeconds: 60,
        },
      ],
      {},
    ],
    70,
  );
  check(
    'never comes if it tolerates the taint without limit',
    [[{ operator: 'Exists' }], {}],
    undefined,
  );
  check('is at once with a taint of someone else', [[], { key: 'maintenance' }], 10);
  check(
    'never comes with a taint that only keeps new pods away',
    [[], { effect: 'NoSchedule' }],
    undefined,
  );
  check(
    'is the earliest of several tolerations',
    [
      [
        { operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 30 },
        {
          key: 'node.kubernetes.io/unreachable',
          operator: 'Exists',
          effect: 'NoExecute',
          tolerationSeconds: 5,
        },
      ],
      {},
    ],
    15,
  );
});
