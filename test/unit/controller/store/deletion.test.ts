import { describe, expect, it } from 'vitest';
import { ConfigMap } from '../../../../api/config-map.ts';
import { Namespace } from '../../../../api/namespace.ts';
import { Pod } from '../../../../api/pod.ts';
import { type DeletionPlan, planDeletion } from '../../../../controller/store/deletion.ts';
import type { DeleteOptions } from '../../../../controller/store/objects.ts';
import { anObject } from '../../../support/an-object.ts';

const now = Date.parse('2026-01-01T00:01:00Z');
const brief = (plan: DeletionPlan) =>
  plan.plan === 'mark'
    ? {
        timestamp: plan.object.metadata.deletionTimestamp,
        grace: plan.object.metadata.deletionGracePeriodSeconds,
        finalizers: plan.object.metadata.finalizers ?? [],
      }
    : plan.plan;

describe('deleting a pod', () => {
  interface PodOptions {
    readonly spec?: object;
    readonly stored?: Readonly<Record<string, unknown>>;
    readonly phase?: Pod['status']['phase'];
  }
  const pod = ({ spec = { nodeName: 'n1' }, stored, phase = 'Running' }: PodOptions = {}) => {
    const containers = [{ name: 'c', image: 'c:1' }];
    const object = anObject(
      Pod,
      { metadata: { name: 'p' }, spec: { containers, ...spec } },
      stored,
    );
    return { ...object, status: { ...object.status, phase } };
  };
  const marked = { deletionTimestamp: '2026-01-01T00:01:20Z', deletionGracePeriodSeconds: 30 };
  const check = (name: string, [object, options]: [Pod, DeleteOptions], expected: unknown) =>
    it(name, () =>
      expect(brief(planDeletion({ kind: Pod, object, options, now }))).toEqual(expected),
    );

  check(
    'gives it its own grace',
    [pod({ spec: { nodeName: 'n1', terminationGracePeriodSeconds: 5 } }), {}],
    {
      timestamp: '2026-01-01T00:01:05Z',
      grace: 5,
      finalizers: [],
    },
  );
  check('gives it the grace that is asked for', [pod(), { gracePeriodSeconds: 10 }], {
    timestamp: '2026-01-01T00:01:10Z',
    grace: 10,
    finalizers: [],
  });
  check('removes it at once with grace 0', [pod(), { gracePeriodSeconds: 0 }], 'remove');
  check('removes it at once when no node has it', [pod({ spec: {} }), {}], 'remove');
  check('removes it at once when it has ended', [pod({ phase: 'Failed' }), {}], 'remove');
  check('changes nothing the second time', [pod({ stored: marked }), {}], 'keep');
  check(
    'never lengthens the grace',
    [pod({ stored: marked }), { gracePeriodSeconds: 300 }],
    'keep',
  );
  check(
    'shortens it, counted from the first time',
    [pod({ stored: marked }), { gracePeriodSeconds: 15 }],
    { timestamp: '2026-01-01T00:01:05Z', grace: 15, finalizers: [] },
  );
  check(
    'with grace 0 leaves it to its finalizers',
    [pod({ stored: { finalizers: ['x/y'] } }), { gracePeriodSeconds: 0 }],
    { timestamp: '2026-01-01T00:01:00Z', grace: 0, finalizers: ['x/y'] },
  );
});

describe('deleting an object', () => {
  const check = (name: string, [stored, options]: [object, DeleteOptions], expected: unknown) =>
    it(name, () => {
      const object = anObject(ConfigMap, { metadata: { name: 'c' } }, { ...stored });
      expect(brief(planDeletion({ kind: ConfigMap, object, options, now }))).toEqual(expected);
    });
  const time = { timestamp: '2026-01-01T00:01:00Z', grace: 0 };

  check('removes it, grace or not', [{}, { gracePeriodSeconds: 30 }], 'remove');
  check('waits for its dependents in the foreground', [{}, { propagationPolicy: 'Foreground' }], {
    ...time,
    finalizers: ['foregroundDeletion'],
  });
  check('waits until its dependents are orphans', [{}, { propagationPolicy: 'Orphan' }], {
    ...time,
    finalizers: ['orphan'],
  });
  check(
    'takes the latest word on dependents',
    [
      {
        finalizers: ['x/y', 'foregroundDeletion'],
        deletionTimestamp: time.timestamp,
        deletionGracePeriodSeconds: 0,
      },
      { propagationPolicy: 'Background' },
    ],
    { ...time, finalizers: ['x/y'] },
  );
});

describe('deleting a namespace', () => {
  const plan = (spec: object) => {
    const object = { ...anObject(Namespace, { metadata: { name: 'shop' } }), spec };
    return planDeletion({ kind: Namespace, object, options: {}, now });
  };

  it('marks it as terminating until its controller has emptied it', () => {
    expect(plan({ finalizers: ['kubernetes'] })).toMatchObject({
      plan: 'mark',
      object: {
        metadata: { deletionTimestamp: '2026-01-01T00:01:00Z' },
        status: { phase: 'Terminating' },
      },
    });
  });

  it('removes an empty one', () => {
    expect(plan({ finalizers: [] })).toEqual({ plan: 'remove' });
  });
});
