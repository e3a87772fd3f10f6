import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Node } from '../../../../api/node.ts';
import { Pod } from '../../../../api/pod.ts';
import { explainRefusals, schedule } from '../../../../controller/scheduler/schedule.ts';
import { assume, type Snapshot, takeSnapshot } from '../../../../controller/scheduler/snapshot.ts';
import { anObject } from '../../../support/an-object.ts';

type Taints = NonNullable<Node['spec']['taints']>;
interface NodeOptions {
  readonly cpu?: string;
  readonly memory?: string;
  readonly pods?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly taints?: Taints;
  readonly unschedulable?: boolean;
  readonly ready?: 'True' | 'False' | 'Unknown';
}
function node(name: string, options: NodeOptions = {}): Node {
  const { cpu = '4', memory = '8Gi', pods = '110', labels = {}, ready = 'True' } = options;
  const { taints, unschedulable } = options;
  const object = anObject(Node, {
    metadata: { name, labels },
    spec: { ...(taints ? { taints } : {}), ...(unschedulable ? { unschedulable } : {}) },
  });
  const status = {
    allocatable: { cpu, memory, pods },
    conditions: [{ type: 'Ready', status: ready }],
  };
  return { ...object, status };
}
interface PodOptions {
  readonly cpu?: string;
  readonly memory?: string;
  readonly initCpu?: string;
  readonly owner?: string;
  readonly spec?: object;
  readonly phase?: Pod['status']['phase'];
}
function pod(name: string, options: PodOptions = {}): Pod {
  const { cpu = '0', memory = '0', initCpu, owner, spec = {}, phase = 'Pending' } = options;
  const init = { name: 'i', image: 'i:1', resources: { requests: { cpu: initCpu } } };
  const object = anObject(Pod, {
    metadata: {
      name,
      ...(owner
        ? {
            ownerReferences: [
              {
                apiVersion: 'apps/v1',
                kind: 'ReplicaSet',
                name: owner,
                uid: owner,
                controller: true,
              },
            ],
          }
        : {}),
    },
    spec: {
      containers: [{ name: 'c', image: 'c:1', resources: { requests: { cpu, memory } } }],
      ...(initCpu ? { initContainers: [init] } : {}),
      ...spec,
    },
  });
  return { ...object, status: { ...object.status, phase } };
}
const snapshot = (nodes: readonly Node[], placed: Readonly<Record<string, readonly Pod[]>> = {}) =>
  takeSnapshot(nodes, (name) => placed[name] ?? []);
const outcome = (wanted: Pod, on: Snapshot, runtimeHandler = '') => {
  const decision = schedule(wanted, on, runtimeHandler);
  return 'node' in decision ? decision.node : explainRefusals(decision.unschedulable);
};

describe('a pod', () => {
  const check = (name: string, [wanted, on]: [Pod, Snapshot], expected: string) =>
    it(name, () => expect(outcome(wanted, on)).toBe(expected));
  const tainted = (effect: Taints[number]['effect']): NodeOptions => ({
    taints: [{ key: 'gpu', value: 'yes', effect }],
  });
  const tolerating = { spec: { tolerations: [{ key: 'gpu', operator: 'Exists' }] } };

  check('goes to a node that can take it', [pod('p'), snapshot([node('n1')])], 'n1');
  check(
    'is told that there are no nodes',
    [pod('p'), snapshot([])],
    'no nodes available to schedule pods',
  );
  check(
    'is told what each node lacks, counted and sorted',
    [
      pod('p', { cpu: '2', memory: '1Gi' }),
      snapshot([
        node('n1', { cpu: '1', memory: '512Mi' }),
        node('n2', { cpu: '1' }),
        node('n3', tainted('NoSchedule')),
        node('n4', { unschedulable: true }),
        node('n5', { ready: 'Unknown' }),
      ]),
    ],
    '0/5 nodes are available: 1 Insufficient memory, 1 node(s) had untolerated taint {gpu: yes}, ' +
      '1 node(s) were not ready, 1 node(s) were unschedulable, 2 Insufficient cpu.',
  );
  check(
    'keeps off a node with a taint that it does not tolerate',
    [pod('p'), snapshot([node('n1', tainted('NoExecute'))])],
    '0/1 nodes are available: 1 node(s) had untolerated taint {gpu: yes}.',
  );
  it('goes only where its RuntimeClass’s runtime is, never to an agent that says nothing of runtimes', () => {
    const having = (name: string, ...handlers: readonly string[]) => {
      const { status, ...rest } = node(name);
      return {
        ...rest,
        status: { ...status, runtimeHandlers: handlers.map((name) => ({ name })) },
      };
    };
    const on = snapshot([node('old'), having('plain', ''), having('kata', '', 'kata')]);
    expect(outcome(pod('p'), on, 'kata')).toBe('kata');
    expect(outcome(pod('p'), snapshot([node('old')]))).toBe('old');
    expect(outcome(pod('p'), on, 'runsc')).toBe(
      '0/3 nodes are available: 3 node(s) didn\'t have the runtime handler "runsc".',
    );
  });

  const listening = (hostIP: string, protocol = 'TCP'): PodOptions => {
    const ports = [{ containerPort: 80, hostPort: 8080, hostIP, protocol }];
    return { spec: { containers: [{ name: 'c', image: 'c:1', ports }] } };
  };
  const held = snapshot([node('n1'), node('n2')], {
    n1: [pod('a', listening('')), pod('b', listening('', 'UDP'))],
    n2: [pod('c', listening('10.0.0.1'))],
  });
  check(
    'keeps off a node whose port another pod has',
    [pod('p', listening('0.0.0.0')), held],
    "0/2 nodes are available: 2 node(s) didn't have free ports for the requested pod ports.",
  );
  check(
    'may have the same port of another address of the node',
    [pod('p', listening('10.0.0.2')), held],
    'n2',
  );
  check('may have the same port for UDP', [pod('p', listening('', 'UDP')), held], 'n2');
  check(
    'may have the port of one that has ended',
    [
      pod('p', listening('')),
      snapshot([node('n1')], { n1: [pod('a', { ...listening(''), phase: 'Succeeded' })] }),
    ],
    'n1',
  );
  check(
    'in the network of its node has its own ports',
    [
      pod('p', {
        spec: {
          hostNetwork: true,
          containers: [{ name: 'c', image: 'c:1', ports: [{ containerPort: 8080 }] }],
        },
      }),
      held,
    ],
    "0/2 nodes are available: 2 node(s) didn't have free ports for the requested pod ports.",
  );
  check(
    'may go there if it does',
    [pod('p', tolerating), snapshot([node('n1', tainted('NoExecute'))])],
    'n1',
  );
  check(
    'goes to a node with PreferNoSchedule only if there is no other',
    [pod('p'), snapshot([node('n1', tainted('PreferNoSchedule')), node('n2')])],
    'n2',
  );
  check(
    'needs the labels of its nodeSelector',
    [
      pod('p', { spec: { nodeSelector: { disk: 'ssd' } } }),
      snapshot([node('n1', { labels: { disk: 'hdd' } }), node('n2', { labels: { disk: 'ssd' } })]),
    ],
    'n2',
  );
  check(
    'is told that no node has them',
    [pod('p', { spec: { nodeSelector: { disk: 'ssd' } } }), snapshot([node('n1')])],
    "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector.",
  );
  check(
    'counts with its hungriest init container',
    [pod('p', { cpu: '1', initCpu: '5' }), snapshot([node('n1')])],
    '0/1 nodes are available: 1 Insufficient cpu.',
  );
  check(
    'without requests fits a node that is full of requests',
    [pod('p'), snapshot([node('n1')], { n1: [pod('a', { cpu: '4', memory: '8Gi' })] })],
    'n1',
  );
  check(
    'does not fit where the number of pods is reached',
    [pod('p'), snapshot([node('n1', { pods: '1' })], { n1: [pod('a')] })],
    '0/1 nodes are available: 1 Too many pods.',
  );
  check(
    'takes the room of a pod that has ended',
    [
      pod('p', { cpu: '4' }),
      snapshot([node('n1')], { n1: [pod('a', { cpu: '4', phase: 'Succeeded' })] }),
    ],
    'n1',
  );
  check(
    'prefers the node with more room',
    [
      pod('p', { cpu: '1' }),
      snapshot([node('n1'), node('n2')], {
        n1: [pod('a', { cpu: '2' })],
        n2: [pod('b', { cpu: '1' })],
      }),
    ],
    'n2',
  );
  check(
    'prefers a host without a pod of the same owner over one with more room',
    [
      pod('p', { owner: 'web', cpu: '100m' }),
      snapshot([node('n1'), node('n2')], {
        n1: [pod('a', { owner: 'web' })],
        n2: [pod('b', { cpu: '3', memory: '6Gi' })],
      }),
    ],
    'n2',
  );
});

const worlds = fc.record({
  nodes: fc.array(
    fc.record({
      cpu: fc.integer({ min: 0, max: 8 }).map(String),
      memory: fc.integer({ min: 0, max: 8 }).map((gib) => `${gib}Gi`),
      pods: fc.integer({ min: 0, max: 10 }).map(String),
      unschedulable: fc.boolean(),
      ready: fc.constantFrom<'True' | 'False' | 'Unknown'>('True', 'True', 'False', 'Unknown'),
      labels: fc.constantFrom({}, { disk: 'ssd' }),
      taints: fc.constantFrom<Taints>([], [{ key: 'gpu', effect: 'NoSchedule' }]),
    }),
    { maxLength: 5 },
  ),
  pods: fc.array(
    fc.record({
      cpu: fc.integer({ min: 0, max: 3000 }).map((milli) => `${milli}m`),
      memory: fc.integer({ min: 0, max: 3 }).map((gib) => `${gib}Gi`),
      owner: fc.constantFrom('a', 'b'),
      spec: fc.constantFrom(
        {},
        { nodeSelector: { disk: 'ssd' } },
        { tolerations: [{ key: 'gpu', operator: 'Exists' }] },
      ),
    }),
    { maxLength: 30 },
  ),
});

/** Where a batch of pods lands, one after the other on one snapshot. */
function place(world: typeof worlds extends fc.Arbitrary<infer W> ? W : never) {
  const nodes = world.nodes.map((options, i) => node(`n${i}`, options));
  let on = snapshot(nodes);
  const placed: { readonly pod: Pod; readonly node: Node }[] = [];
  const refused: Pod[] = [];
  for (const [i, options] of world.pods.entries()) {
    const wanted = pod(`p${i}`, options);
    const decision = schedule(wanted, on);
    if ('node' in decision) {
      on = assume(on, wanted, decision.node);
      placed.push({ pod: wanted, node: on.get(decision.node)?.node as Node });
    } else refused.push(wanted);
  }
  return { placed, refused, on };
}

describe('scheduling', () => {
  it('never gives out more than a node has', () => {
    fc.assert(
      fc.property(worlds, (world) => {
        for (const { allocatable, requested } of place(world).on.values()) {
          expect(requested.cpuMilli).toBeLessThanOrEqual(allocatable.cpuMilli);
          expect(requested.memoryBytes).toBeLessThanOrEqual(allocatable.memoryBytes);
          expect(requested.pods).toBeLessThanOrEqual(allocatable.pods);
        }
      }),
    );
  });

  it('never binds against a filter', () => {
    fc.assert(
      fc.property(worlds, (world) => {
        for (const {
          pod: { spec },
          node: host,
        } of place(world).placed) {
          expect(host.spec.unschedulable ?? false).toBe(false);
          expect(host.status.conditions?.[0]?.status).toBe('True');
          if (spec.nodeSelector) expect(host.metadata.labels).toEqual(spec.nodeSelector);
          if (!spec.tolerations) expect(host.spec.taints ?? []).toEqual([]);
        }
      }),
    );
  });

  it('refuses no pod that fits', () => {
    fc.assert(
      fc.property(worlds, (world) => {
        const { refused, on } = place(world);
        for (const wanted of refused) {
          const decision = schedule(wanted, on);
          expect('unschedulable' in decision && decision.unschedulable.size).toBe(on.size);
        }
      }),
    );
  });

  it('has the same answer to the same question', () => {
    fc.assert(
      fc.property(worlds, (world) => {
        const names = () =>
          place(world).placed.map((p) => `${p.pod.metadata.name} ${p.node.metadata.name}`);
        expect(names()).toEqual(names());
      }),
    );
  });
});
