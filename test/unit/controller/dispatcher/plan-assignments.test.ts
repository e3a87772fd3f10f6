import { describe, expect, it } from 'vitest';
import type { KubeObject } from '../../../../api/kind.ts';
import type { Pod } from '../../../../api/pod.ts';
import type { Fields } from '../../../../api/schema.ts';
import {
  namedObjects,
  planAssignments,
  podForNode,
} from '../../../../controller/dispatcher/plan-assignments.ts';
import { aPod } from '../../../support/a-pod.ts';

const named = (spec: Readonly<Record<string, unknown>>) => {
  const { configMaps, secrets } = namedObjects(aPod(spec));
  return { configMaps: [...configMaps], secrets: [...secrets] };
};
const container = (fields: object) => ({ name: 'web', image: 'web:1', ...fields });

describe('what a pod names', () => {
  const check = (what: string, spec: Readonly<Record<string, unknown>>, expected: object) =>
    it(what, () => {
      expect(named(spec)).toEqual({ configMaps: [], secrets: [], ...expected });
    });
  const env = [
    { name: 'A', valueFrom: { configMapKeyRef: { name: 'c', key: 'k' } } },
    { name: 'B', valueFrom: { secretKeyRef: { name: 's', key: 'k' } } },
    { name: 'C', value: 'plain' },
  ];
  check('is nothing by itself', {}, {});
  check(
    'is in its variables',
    { containers: [container({ env })] },
    { configMaps: ['c'], secrets: ['s'] },
  );
  check(
    'is in the variables of its init containers',
    { containers: [container({})], initContainers: [{ name: 'init', image: 'i:1', env }] },
    { configMaps: ['c'], secrets: ['s'] },
  );
  check(
    'is in envFrom',
    {
      containers: [
        container({ envFrom: [{ configMapRef: { name: 'c' } }, { secretRef: { name: 's' } }] }),
      ],
    },
    { configMaps: ['c'], secrets: ['s'] },
  );
  check(
    'is in its volumes',
    {
      volumes: [
        { name: 'one', configMap: { name: 'c' } },
        { name: 'two', secret: { secretName: 's' } },
        { name: 'three', emptyDir: {} },
      ],
    },
    { configMaps: ['c'], secrets: ['s'] },
  );
  check('is its pull secrets', { imagePullSecrets: [{ name: 's' }] }, { secrets: ['s'] });
});

describe('the plan for a node', () => {
  const snapshot = (pods: readonly Pod[]) => ({
    byIndex: <F extends Fields>() => pods as unknown[] as KubeObject<F>[],
    get: () => undefined,
    list: () => [],
  });

  it('has every pod that is bound to it, by uid, and names what does not exist yet', () => {
    const pod = aPod({ imagePullSecrets: [{ name: 's' }], runtimeClassName: 'other' });
    expect([...planAssignments('host1', snapshot([pod]))]).toEqual([
      [
        'uid-1',
        {
          ...{ uid: 'uid-1', pod, configMaps: [], secrets: [], runtimeHandler: '' },
          named: ['RuntimeClass//other', 'Secret/default/s'],
        },
      ],
    ]);
  });

  it('gives a node the same pod, whatever status it has reported', () => {
    const pod = aPod();
    const running = {
      ...pod,
      metadata: { ...pod.metadata, resourceVersion: '9' },
      status: { phase: 'Running' as const, podIP: '10.0.0.1' },
    };
    expect(podForNode(running)).toEqual(podForNode(pod));
  });

  it('still says that a pod has ended', () => {
    const ended = { ...aPod(), status: { phase: 'Succeeded' as const, podIP: '10.0.0.1' } };
    expect(podForNode(ended).status).toEqual({ phase: 'Succeeded' });
  });
});
