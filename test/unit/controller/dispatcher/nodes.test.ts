import { describe, expect, it } from 'vitest';
import type { NodeCondition } from '../../../../api/node.ts';
import {
  freePodCidr,
  podsPerNode,
  withConditions,
} from '../../../../controller/dispatcher/node-registry.ts';

describe('a free pod CIDR', () => {
  const plan = { clusterPodCidr: '10.244.0.0/22', nodePrefix: 24 };
  const check = (what: string, taken: readonly string[], expected: string | undefined) =>
    it(what, () => {
      expect(freePodCidr(plan, new Set(taken))).toBe(expected);
    });
  check('is the first one at first', [], '10.244.0.0/24');
  check('fills gaps', ['10.244.0.0/24', '10.244.2.0/24'], '10.244.1.0/24');
  check(
    'is none when all are taken',
    ['10.244.0.0/24', '10.244.1.0/24', '10.244.2.0/24', '10.244.3.0/24'],
    undefined,
  );
  it('leaves three addresses to nobody', () => {
    expect(podsPerNode({ ...plan, nodePrefix: 22 })).toBe(1021);
  });
});

describe('a node’s conditions', () => {
  const [first, later] = [Date.parse('2026-01-01T00:00:00Z'), Date.parse('2026-01-02T00:00:00Z')];
  const timesOf = (conditions: readonly NodeCondition[], type: string) =>
    conditions.find((c) => c.type === type)?.lastTransitionTime;

  it('are Ready while the node says nothing else', () => {
    expect(withConditions([], [], first)).toMatchObject([{ type: 'Ready', status: 'True' }]);
  });

  it('are the very same when nothing changed', () => {
    const before = withConditions([], [], first);
    expect(withConditions(before, [], later)).toEqual(before);
  });

  it('carry a new time when they turn, and keep those of others', () => {
    const pressure: NodeCondition = { type: 'DiskPressure', status: 'True' };
    const before = withConditions([], [{ ...pressure, status: 'False' }], first);
    const after = withConditions(before, [pressure], later);
    expect(timesOf(after, 'DiskPressure')).toBe('2026-01-02T00:00:00Z');
    expect(timesOf(after, 'Ready')).toBe('2026-01-01T00:00:00Z');
  });

  it('are not Ready when the node says so itself', () => {
    const reported: NodeCondition = { type: 'Ready', status: 'False', reason: 'NoShim' };
    expect(withConditions([], [reported], first)).toMatchObject([reported]);
  });
});
