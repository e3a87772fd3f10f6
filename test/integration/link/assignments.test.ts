import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ConfigMap } from '../../../api/config-map.ts';
import { Lease } from '../../../api/lease.ts';
import { Node } from '../../../api/node.ts';
import { Pod } from '../../../api/pod.ts';
import { RuntimeClass } from '../../../api/runtime-class.ts';
import { Secret } from '../../../api/secret.ts';
import { Service } from '../../../api/service.ts';
import { aPod } from '../../support/a-pod.ts';
import { type LinkWorld, openLinkWorld, type TestAgent } from '../../support/link-world.ts';
import { waitFor } from '../../support/wait-for.ts';

let world: LinkWorld;
beforeEach(async () => {
  world = await openLinkWorld();
});
afterEach(() => world.close());

describe('the link between agent and controller', () => {
  it('makes the Node with a pod CIDR, its facts and Ready', async () => {
    await world.startAgent({ nodeName: 'host1' });
    const node = await waitFor('the Node', () => nodeOf('host1'));
    expect(node.spec).toEqual({ podCIDR: '10.244.0.0/22', podCIDRs: ['10.244.0.0/22'] });
    expect(node.status.capacity).toEqual({ cpu: '4', memory: '8Gi', pods: '110' });
    expect(node.metadata.labels).toMatchObject({ rack: 'r1', 'kubernetes.io/hostname': 'host1' });
    expect(node.status.conditions).toMatchObject([{ type: 'Ready', status: 'True' }]);
    await world.startAgent({ nodeName: 'host2' });
    const second = await waitFor('the second Node', () => nodeOf('host2'));
    expect(second.spec.podCIDR).toBe('10.244.4.0/22');
  });

  it('makes a Node again at once that is deleted while its agent is connected', async () => {
    await world.startAgent({ nodeName: 'host1' });
    const before = await waitFor('the Node', () => nodeOf('host1'));
    await world.objects.delete(Node, { namespace: '', name: 'host1' });
    const after = await waitFor('another Node', () => {
      const found = nodeOf('host1');
      return found?.metadata.uid === before.metadata.uid ? undefined : found;
    });
    expect(after.spec).toEqual(before.spec);
  });

  it('pushes a snapshot, then each change, and only what the pods name', async () => {
    await create('web', { volumes: [{ name: 'c', configMap: { name: 'conf' } }] });
    await createConfigMap('conf', 'old');
    await createConfigMap('other', 'unseen');
    await create('elsewhere', { nodeName: 'host2' });
    const agent = await world.startAgent({ nodeName: 'host1' });
    const web = await assigned(agent, 'web');
    expect([...agent.ledger.pods().keys()]).toEqual([web.uid]);
    expect([...web.configMaps.keys()]).toEqual(['conf']);

    await world.objects.modify(
      ConfigMap,
      { key: { namespace: 'default', name: 'conf' }, part: 'main' },
      (map) => ({ ...map, data: { key: 'new' } }),
    );
    await waitFor('the new ConfigMap', () => dataOf(agent, web.uid) === 'new');

    const late = await create('late', { imagePullSecrets: [{ name: 'pull' }] });
    await assigned(agent, 'late');
    await world.objects.create(Secret, {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'pull', namespace: 'default' },
      type: 'Opaque',
      data: { a: 'YQ==' },
    });
    await waitFor('the Secret', () =>
      agent.ledger.pods().get(late.metadata.uid)?.secrets.has('pull'),
    );

    await world.objects.delete(Pod, keyOf('web'), { gracePeriodSeconds: 0 });
    await waitFor('the removal', () => !agent.ledger.pods().has(web.uid));
  });

  it('gives a pod with a RuntimeClass to no agent that is older than those, and tells the pod', async () => {
    await world.objects.create(RuntimeClass, {
      ...{ apiVersion: 'node.k8s.io/v1', kind: 'RuntimeClass', metadata: { name: 'box' } },
      handler: 'kata',
    });
    const boxed = await create('boxed', { runtimeClassName: 'box' });
    await create('plain', {});
    const old = await world.startAgent({ nodeName: 'host1', facts: { runtimeHandlers: [] } });
    await assigned(old, 'plain');
    expect(old.ledger.pods().has(boxed.metadata.uid)).toBe(false);
    expect(world.happenings).toMatchObject([
      { involved: { metadata: { name: 'boxed' } }, reason: 'FailedCreatePodSandBox' },
    ]);
    await old.session.stop();
    const agent = await world.startAgent({ nodeName: 'host1' });
    expect((await assigned(agent, 'boxed')).runtimeHandler).toBe('kata');
    expect(nodeOf('host1')?.status.runtimeHandlers).toEqual([{ name: '' }]);
  });

  it('keeps the service table and the routes of every node up to date', async () => {
    const agent = await world.startAgent({ nodeName: 'host1' });
    await waitFor('the table', () => agent.ledger.network()?.podCidr === '10.244.0.0/22');
    await createService('db', '10.96.0.7');
    await waitFor('the service', () => agent.ledger.network()?.services.length === 1);
    expect(agent.ledger.network()?.services[0]).toMatchObject({
      namespace: 'default',
      name: 'db',
      clusterIp: '10.96.0.7',
    });
    await world.startAgent({ nodeName: 'host2' });
    await waitFor('the other route', () => agent.ledger.network()?.nodes.length === 2);
    await world.objects.delete(Service, keyOf('db'));
    await waitFor('no service', () => agent.ledger.network()?.services.length === 0);
  });

  it('finds the controller again, catches up, and takes nothing older than the new epoch', async () => {
    const agent = await world.startAgent({ nodeName: 'host1' });
    const kept = await create('kept', {});
    const gone = await create('gone', {});
    await assigned(agent, 'gone');
    await world.stopController();
    await waitFor('the loss', () => !agent.session.connected);
    expect(agent.ledger.pods().size).toBe(2);
    await world.objects.delete(Pod, keyOf('gone'), { gracePeriodSeconds: 0 });
    await world.startController();
    await waitFor('the new snapshot', () => agent.ledger.pods().size === 1);
    expect([...agent.ledger.pods().keys()]).toEqual([kept.metadata.uid]);
    expect(agent.ledger.generation()?.epoch).toBe(2);
    const stale = { epoch: 1, revision: 1_000_000 };
    const answer = agent.ledger.accept({
      kind: 'remove',
      uid: kept.metadata.uid,
      generation: stale,
    });
    expect(await answer).toBe('stale');
    expect(gone.metadata.uid).not.toBe(kept.metadata.uid);
  });

  it('writes statuses of pods that are bound to the node, and of no others', async () => {
    const agent = await world.startAgent({ nodeName: 'host1' });
    const mine = await create('mine', {});
    const other = await create('other', { nodeName: 'host2' });
    await assigned(agent, 'mine');
    agent.report(reported(other, 'Running'));
    agent.report(reported(mine, 'Running'));
    await waitFor('the status', () => phaseOf('mine') === 'Running');
    expect(phaseOf('other')).toBe('Pending');
    const before = agent.ledger.pods().get(mine.metadata.uid)?.generation;
    agent.report(reported(mine, 'Running', '10.244.0.9'));
    await waitFor('the address', () => podOf('mine')?.status.podIP === '10.244.0.9');
    expect(agent.ledger.pods().get(mine.metadata.uid)?.generation).toEqual(before);
  });

  it('removes a pod from the store once its node has ended all of it', async () => {
    const agent = await world.startAgent({ nodeName: 'host1' });
    const web = await create('web', {});
    await assigned(agent, 'web');
    agent.report(reported(web, 'Running'));
    await world.objects.delete(Pod, keyOf('web'));
    await waitFor(
      'the deletion',
      () => agent.ledger.pods().get(web.metadata.uid)?.pod.metadata.deletionTimestamp !== undefined,
    );
    expect(podOf('web')).toBeDefined();
    agent.report({ ...reported(web, 'Failed'), terminated: true });
    await waitFor('the end', () => podOf('web') === undefined);
    await waitFor('the entry to go', () => agent.ledger.pods().size === 0);
  });

  it('renews the lease while the agent beats, and gives Ready back when it was taken away', async () => {
    await world.startAgent({ nodeName: 'host1' });
    const lease = () =>
      world.cache.get(Lease, { namespace: 'kube-node-lease', name: 'host1' })?.spec.renewTime;
    const first = await waitFor('the lease', lease);
    await world.objects.modify(
      Node,
      { key: { namespace: '', name: 'host1' }, part: 'status' },
      (node) => ({
        ...node,
        status: { ...node.status, conditions: [{ type: 'Ready', status: 'Unknown' as const }] },
      }),
    );
    await waitFor('a renewal', () => lease() !== first);
    await waitFor('Ready', () => nodeOf('host1')?.status.conditions?.[0]?.status === 'True');
  });

  it('connects to the others when one controller does not answer', async () => {
    const otherControllers = ['127.0.0.1:1'];
    const agent = await world.startAgent({ nodeName: 'host1', otherControllers });
    await waitFor('the link', () => agent.session.connected);
  });

  it('refuses a node that describes itself in words that mean nothing', async () => {
    const facts = { capacity: { cpu: 'plenty' } };
    const agent = await world.startAgent({ nodeName: 'host1', facts });
    await expect(waitFor('the link', () => agent.session.connected, 400)).rejects.toThrow();
    expect(nodeOf('host1')).toBeUndefined();
  });

  it('takes events about the node’s own pods only', async () => {
    const agent = await world.startAgent({ nodeName: 'host1' });
    const mine = await create('mine', {});
    const other = await create('other', { nodeName: 'host2' });
    await assigned(agent, 'mine');
    for (const pod of [other, mine])
      agent.session.reportEvent({
        podUid: pod.metadata.uid,
        namespace: 'default',
        name: pod.metadata.name,
        type: 'Warning',
        reason: 'BackOff',
        message: 'again',
        fieldPath: 'spec.containers{web}',
      });
    await waitFor('the event', () => world.happenings.length > 0);
    expect(world.happenings.map(({ involved }) => involved)).toMatchObject([
      { kind: 'Pod', name: 'mine', fieldPath: 'spec.containers{web}' },
    ]);
  });
});

const keyOf = (name: string) => ({ namespace: 'default', name });
const podOf = (name: string) => world.cache.get(Pod, keyOf(name));
const phaseOf = (name: string) => podOf(name)?.status.phase;
const nodeOf = (name: string) => world.cache.get(Node, { namespace: '', name });

function create(name: string, spec: Readonly<Record<string, unknown>>): Promise<Pod> {
  const pod = aPod(spec);
  return world.objects.create(Pod, { ...pod, metadata: { name, namespace: 'default' } });
}

const createConfigMap = (name: string, value: string) =>
  world.objects.create(ConfigMap, {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name, namespace: 'default' },
    data: { key: value },
  });

const createService = (name: string, clusterIP: string) =>
  world.objects.create(Service, {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: 'default' },
    spec: {
      type: 'ClusterIP',
      clusterIP,
      sessionAffinity: 'None',
      internalTrafficPolicy: 'Cluster',
      ports: [{ port: 80, protocol: 'TCP', targetPort: 80 }],
    },
    status: { loadBalancer: {} },
  });

const assigned = (agent: TestAgent, name: string) =>
  waitFor(`${name} to be assigned`, () =>
    [...agent.ledger.pods().values()].find(({ pod }) => pod.metadata.name === name),
  );

const dataOf = (agent: TestAgent, uid: string) =>
  agent.ledger.pods().get(uid)?.configMaps.get('conf')?.data?.key;

const reported = ({ metadata }: Pod, phase: 'Running' | 'Failed', podIP = '10.244.0.8') => ({
  uid: metadata.uid,
  namespace: 'default',
  name: metadata.name,
  generation: { epoch: 1, revision: 1 },
  status: { phase, podIP },
  terminated: false,
});
