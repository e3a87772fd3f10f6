import { describe, expect, it } from 'vitest';
import { Node } from '../../../../api/node.ts';
import { Pod } from '../../../../api/pod.ts';
import { planPreemption } from '../../../../controller/scheduler/preempt.ts';
import { takeSnapshot } from '../../../../controller/scheduler/snapshot.ts';
import { anObject } from '../../../support/an-object.ts';

/** "name:cpu:priority" */
function pod(
  text: string,
  more: Partial<Pod['status']> = {},
  stored: Readonly<Record<string, unknown>> = {},
): Pod {
  const [name = '', cpu, priority] = text.split(':');
  const containers = [{ name: 'c', image: 'c:1', resources: { requests: { cpu } } }];
  const spec = { containers, priority: Number(priority) };
  const object = anObject(Pod, { metadata: { name }, spec }, stored);
  return { ...object, status: { ...object.status, ...more } };
}

function node(name: string, taint?: string): Node {
  const taints = taint ? [{ key: taint, effect: 'NoSchedule' }] : [];
  const object = anObject(Node, { metadata: { name }, spec: { taints } });
  const conditions = [{ type: 'Ready', status: 'True' }] as const;
  return { ...object, status: { allocatable: { cpu: '4', memory: '8Gi' }, conditions } };
}

const plan = (waiting: Pod, on: Readonly<Record<string, readonly (string | Pod)[]>>) => {
  const nodes = Object.keys(on).map((name) => node(name, name === 'tainted' ? 'own' : undefined));
  const pods = (name: string) => (on[name] ?? []).map((p) => (typeof p === 'string' ? pod(p) : p));
  const found = planPreemption(waiting, takeSnapshot(nodes, pods));
  return found && { node: found.node, victims: found.victims.map(({ metadata }) => metadata.name) };
};

describe('room for a pod that finds none', () => {
  it.each<[string, string, Record<string, readonly string[]>, object | undefined]>([
    ['is not made by pods of its own priority', 'p:2:5', { a: ['x:4:5'] }, undefined],
    ['is not made where it would not suffice', 'p:4:5', { a: ['x:1:9', 'y:3:1'] }, undefined],
    ['is not made where the pod may not go', 'p:2:5', { tainted: ['x:4:1'] }, undefined],
    ['is made by one of less', 'p:2:5', { a: ['x:4:1'] }, { node: 'a', victims: ['x'] }],
    [
      'is made by no more than must go, the least important first',
      'p:2:9',
      { a: ['x:1:3', 'y:1:1', 'z:1:2', 'w:1:4'] },
      { node: 'a', victims: ['z', 'y'] },
    ],
    [
      'is made where the most important victim matters least',
      'p:4:9',
      { a: ['x:4:7'], b: ['y:2:6', 'z:2:6'] },
      { node: 'b', victims: ['y', 'z'] },
    ],
    [
      'is made where fewer go',
      'p:4:9',
      { a: ['x:2:0', 'z:2:0'], b: ['y:4:0'] },
      { node: 'b', victims: ['y'] },
    ],
  ])('%s', (_, waiting, on, expected) => {
    expect(plan(pod(waiting), on)).toEqual(expected);
  });

  it('is not made for a pod whose class says so', () => {
    const polite = pod('p:2:5');
    const spec = { ...polite.spec, preemptionPolicy: 'Never' } as const;
    expect(plan({ ...polite, spec }, { a: ['x:4:1'] })).toBeUndefined();
  });

  it('is waited for where it is being made', () => {
    const ending = pod('x:4:1', {}, { deletionTimestamp: '2026-01-01T00:00:30Z' });
    const waiting = pod('p:2:5', { nominatedNodeName: 'a' });
    expect(plan(waiting, { a: [ending], b: ['y:4:0'] })).toEqual({ node: 'a', victims: [] });
  });
});
