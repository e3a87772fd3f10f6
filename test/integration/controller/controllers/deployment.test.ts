import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Deployment } from '../../../../api/deployment.ts';
import { EndpointSlice } from '../../../../api/endpoint-slice.ts';
import { Event } from '../../../../api/event.ts';
import { Namespace } from '../../../../api/namespace.ts';
import { Node } from '../../../../api/node.ts';
import { Pod } from '../../../../api/pod.ts';
import { ReplicaSet } from '../../../../api/replica-set.ts';
import { RuntimeClass } from '../../../../api/runtime-class.ts';
import { Service } from '../../../../api/service.ts';
import { startTestCluster, type TestCluster } from '../../../support/test-cluster.ts';

let cluster: TestCluster;
beforeEach(async () => {
  cluster = await startTestCluster();
  for (const name of ['n1', 'n2', 'n3']) await cluster.addNode(name);
});
afterEach(() => cluster.stop());

const web = (replicas: number, image: string, spec: object = {}) => ({
  metadata: { name: 'web' },
  spec: {
    replicas,
    selector: { matchLabels: { app: 'web' } },
    template: {
      metadata: { labels: { app: 'web' } },
      spec: {
        containers: [{ name: 'web', image, ports: [{ name: 'http', containerPort: 8080 }] }],
      },
    },
    ...spec,
  },
});
const key = { namespace: 'default', name: 'web' };
const isRolledOut = ({ metadata, spec, status }: Deployment) =>
  status.observedGeneration === metadata.generation &&
  status.updatedReplicas === spec.replicas &&
  status.replicas === spec.replicas &&
  status.availableReplicas === spec.replicas;
const rolledOut = () =>
  cluster.eventually(() => {
    const deployment = cluster.cache.get(Deployment, key);
    return deployment && isRolledOut(deployment) ? deployment : undefined;
  });
const change = (next: (deployment: Deployment) => Deployment) =>
  cluster.objects.modify(Deployment, { key, part: 'main' }, next);
const withImage = (image: string) => (deployment: Deployment) => {
  const { template } = deployment.spec;
  const containers = template.spec.containers.map((container) => ({ ...container, image }));
  const spec = {
    ...deployment.spec,
    template: { ...template, spec: { ...template.spec, containers } },
  };
  return { ...deployment, spec };
};
const images = () => cluster.cache.list(Pod).map((pod) => pod.spec.containers[0]?.image);

describe('a Deployment', () => {
  it('becomes a ReplicaSet and bound pods on different hosts', async () => {
    await cluster.apply(Deployment, web(3, 'web:1'));
    const deployment = await rolledOut();
    const pods = cluster.cache.list(Pod);
    expect(new Set(pods.map((pod) => pod.spec.nodeName))).toEqual(new Set(['n1', 'n2', 'n3']));
    const [set, ...others] = cluster.cache.list(ReplicaSet);
    expect(others).toEqual([]);
    expect(set?.metadata.labels?.['pod-template-hash']).toMatch(/^[a-z0-9]{10}$/);
    expect(deployment.metadata.annotations).toMatchObject({
      'deployment.kubernetes.io/revision': '1',
    });
    expect(deployment.status).toMatchObject({
      replicas: 3,
      readyReplicas: 3,
      unavailableReplicas: 0,
      conditions: [
        { type: 'Progressing', status: 'True', reason: 'NewReplicaSetAvailable' },
        { type: 'Available', status: 'True', reason: 'MinimumReplicasAvailable' },
      ],
    });
  });

  it('replaces its pods when its template changes, and goes back by its history', async () => {
    await cluster.apply(Deployment, web(4, 'web:1'));
    await rolledOut();
    const [first] = cluster.cache.list(ReplicaSet);
    await change(withImage('web:2'));
    await rolledOut();
    await cluster.eventually(() => images().every((image) => image === 'web:2'));
    expect(images()).toEqual(['web:2', 'web:2', 'web:2', 'web:2']);
    await change(withImage('web:1'));
    await rolledOut();
    const sets = cluster.cache.list(ReplicaSet);
    expect(sets).toHaveLength(2);
    const back = sets.find((set) => set.metadata.uid === first?.metadata.uid);
    expect(back).toMatchObject({
      metadata: { annotations: { 'deployment.kubernetes.io/revision': '3' } },
      spec: { replicas: 4 },
    });
  });

  it('with Recreate never runs old and new pods together', async () => {
    await cluster.apply(Deployment, web(3, 'web:1', { strategy: { type: 'Recreate' } }));
    await rolledOut();
    const mixtures: unknown[] = [];
    const stop = cluster.cache.onChange(() => {
      const distinct = new Set(images());
      if (distinct.size > 1) mixtures.push([...distinct]);
    });
    await change(withImage('web:2'));
    await rolledOut();
    stop();
    expect(mixtures).toEqual([]);
    expect(images()).toEqual(['web:2', 'web:2', 'web:2']);
  });

  it('scales up and down, and makes a lost pod anew', async () => {
    await cluster.apply(Deployment, web(2, 'web:1'));
    await rolledOut();
    await change((deployment) => ({ ...deployment, spec: { ...deployment.spec, replicas: 6 } }));
    await rolledOut();
    await change((deployment) => ({ ...deployment, spec: { ...deployment.spec, replicas: 1 } }));
    await rolledOut();
    const [pod] = await cluster.eventually(() => {
      const pods = cluster.cache.list(Pod);
      return pods.length === 1 && pods;
    });
    await cluster.objects.delete(Pod, { namespace: 'default', name: pod?.metadata.name ?? '' });
    const [next] = await cluster.eventually(() => {
      const pods = cluster.cache.list(Pod).filter((p) => p.metadata.uid !== pod?.metadata.uid);
      return pods.length === 1 && pods;
    });
    expect(next?.metadata.name).not.toBe(pod?.metadata.name);
  });

  it('takes everything along when it is deleted', async () => {
    await cluster.apply(Deployment, web(3, 'web:1'));
    await rolledOut();
    await cluster.objects.delete(Deployment, key);
    await cluster.eventually(
      () => cluster.cache.list(ReplicaSet).length + cluster.cache.list(Pod).length === 0,
    );
  });

  it('goes last when deleted in the foreground', async () => {
    await cluster.apply(Deployment, web(2, 'web:1'));
    await rolledOut();
    const order: string[] = [];
    const stop = cluster.cache.onChange(({ kind, object }) => {
      if (!object && [Pod, ReplicaSet, Deployment].some((k) => k === kind)) order.push(kind.kind);
    });
    await cluster.objects.delete(Deployment, key, { propagationPolicy: 'Foreground' });
    await cluster.eventually(() => !cluster.cache.get(Deployment, key));
    stop();
    expect(order).toEqual(['Pod', 'Pod', 'ReplicaSet', 'Deployment']);
  });

  it('leaves its pods behind when orphaned, and a new one with the same selector adopts them', async () => {
    await cluster.apply(Deployment, web(2, 'web:1'));
    await rolledOut();
    const before = cluster.cache.list(Pod).map((pod) => pod.metadata.uid);
    await cluster.objects.delete(Deployment, key, { propagationPolicy: 'Orphan' });
    await cluster.eventually(() => !cluster.cache.get(Deployment, key));
    expect(cluster.cache.list(ReplicaSet)[0]?.metadata.ownerReferences).toBeUndefined();
    await cluster.apply(Deployment, web(2, 'web:1'));
    await rolledOut();
    expect(cluster.cache.list(Pod).map((pod) => pod.metadata.uid)).toEqual(before);
  });
});

describe('a Service', () => {
  it('has the ready pods as endpoints, and loses those that end', async () => {
    await cluster.apply(Service, {
      metadata: { name: 'web' },
      spec: { selector: { app: 'web' }, ports: [{ port: 80, targetPort: 'http' }] },
    });
    await cluster.apply(Deployment, web(3, 'web:1'));
    await rolledOut();
    const ready = () =>
      cluster.cache
        .list(EndpointSlice)
        .flatMap((slice) => slice.endpoints)
        .filter((endpoint) => endpoint.conditions.ready);
    await cluster.eventually(() => ready().length === 3);
    expect(cluster.cache.list(EndpointSlice)[0]?.ports).toEqual([
      { name: '', protocol: 'TCP', port: 8080 },
    ]);
    await change((deployment) => ({ ...deployment, spec: { ...deployment.spec, replicas: 1 } }));
    await cluster.eventually(() => ready().length === 1);
    await cluster.objects.delete(Service, key);
    await cluster.eventually(() => cluster.cache.list(EndpointSlice).length === 0);
  });
});

describe('a lost node', () => {
  it('is marked, loses its pods to others, and is taken back when it is heard again', async () => {
    await cluster.apply(
      Deployment,
      web(3, 'web:1', {
        template: {
          metadata: { labels: { app: 'web' } },
          spec: {
            terminationGracePeriodSeconds: 1,
            containers: [{ name: 'web', image: 'web:1' }],
          },
        },
      }),
    );
    await rolledOut();
    cluster.silence('n2');
    const node = () => cluster.cache.get(Node, { namespace: '', name: 'n2' });
    const ready = () => node()?.status.conditions?.find(({ type }) => type === 'Ready')?.status;
    await cluster.eventually(() => ready() === 'Unknown');
    expect(node()?.spec.taints?.map(({ key: name, effect }) => `${name}:${effect}`)).toEqual([
      'node.kubernetes.io/unreachable:NoSchedule',
      'node.kubernetes.io/unreachable:NoExecute',
    ]);
    await cluster.eventually(() => {
      const pods = cluster.cache.list(Pod);
      return pods.length === 3 && pods.every((pod) => pod.spec.nodeName !== 'n2');
    });
    await rolledOut();
    await cluster.hear('n2');
    await cluster.eventually(() => ready() === 'True' && !node()?.spec.taints);
  });
});

describe('a ReplicaSet whose RuntimeClass is not there', () => {
  it('says so, makes no pods, and makes them when it is', async () => {
    const containers = [{ name: 'web', image: 'web:1' }];
    const template = {
      metadata: { labels: { app: 'web' } },
      spec: { runtimeClassName: 'box', containers },
    };
    await cluster.apply(Deployment, web(2, 'web:1', { template }));
    const reason = 'FailedCreate';
    const failure = await cluster.eventually(() =>
      cluster.cache
        .list(ReplicaSet)[0]
        ?.status.conditions?.find(({ type }) => type === 'ReplicaFailure'),
    );
    expect(failure).toMatchObject({ status: 'True', reason });
    expect(failure.message).toMatch(
      /^pods "web-\w+-" is forbidden: pod rejected: RuntimeClass "box" not found$/,
    );
    await cluster.eventually(() => cluster.cache.list(Event).some((e) => e.reason === reason));
    expect(cluster.cache.list(Pod)).toEqual([]);
    await cluster.apply(RuntimeClass, { metadata: { name: 'box' }, handler: 'box' });
    await cluster.eventually(() => cluster.cache.list(Pod).length === 2);
  });
});

describe('a pod that fits nowhere', () => {
  it('is told why, and is bound as soon as there is room', async () => {
    await cluster.apply(Pod, {
      metadata: { name: 'big' },
      spec: {
        containers: [{ name: 'big', image: 'big:1', resources: { requests: { cpu: '6' } } }],
      },
    });
    const message = '0/3 nodes are available: 3 Insufficient cpu.';
    await cluster.eventually(() =>
      cluster.cache
        .get(Pod, { namespace: 'default', name: 'big' })
        ?.status.conditions?.some((c) => c.reason === 'Unschedulable' && c.message === message),
    );
    await cluster.eventually(() => cluster.cache.list(Event).some((e) => e.message === message));
    await cluster.addNode('large', { cpu: '8' });
    await cluster.eventually(
      () =>
        cluster.cache.get(Pod, { namespace: 'default', name: 'big' })?.spec.nodeName === 'large',
    );
  });
});

describe('a namespace', () => {
  it('goes when it is deleted, after everything in it', async () => {
    await cluster.objects.create(Namespace, {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: 'shop' },
      spec: { finalizers: ['kubernetes'] },
      status: { phase: 'Active' },
    });
    const manifest = web(2, 'web:1');
    await cluster.apply(Deployment, {
      ...manifest,
      metadata: { name: 'web', namespace: 'shop' },
    });
    await cluster.eventually(() => cluster.cache.list(Pod, 'shop').length === 2);
    await cluster.objects.delete(Namespace, { namespace: '', name: 'shop' });
    await cluster.eventually(() => !cluster.cache.get(Namespace, { namespace: '', name: 'shop' }));
    expect(cluster.cache.list(Pod, 'shop')).toEqual([]);
    expect(cluster.cache.list(ReplicaSet, 'shop')).toEqual([]);
  });
});
