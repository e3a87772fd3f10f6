import { ConfigMap } from '../../api/config-map.ts';
import { Deployment } from '../../api/deployment.ts';
import { EndpointSlice } from '../../api/endpoint-slice.ts';
import { Event } from '../../api/event.ts';
import type { Kind } from '../../api/kind.ts';
import { Node } from '../../api/node.ts';
import { Pod } from '../../api/pod.ts';
import { parseObject } from '../../api/prepare.ts';
import { ReplicaSet } from '../../api/replica-set.ts';
import type { Fields } from '../../api/schema.ts';
import { Service } from '../../api/service.ts';
import { openUsageBoard } from '../../controller/usage-board.ts';
import { fakeClock } from './fake-clock.ts';
import { localPodAccess } from './local-pod-access.ts';
import { seededRng } from './seeded-rng.ts';
import { openTlsWorld, type TlsWorld } from './tls-world.ts';

/** A server on which every conversation begins with the same objects, at the same time, and no loop runs. */
export async function openRecordedWorld(): Promise<TlsWorld> {
  const clock = fakeClock(Date.parse('2026-01-01T00:00:00Z'));
  const usage = openUsageBoard(clock);
  const world = await openTlsWorld({
    ...{ clock, usage, rng: seededRng(1), podAccess: localPodAccess() },
  });
  const make = async <F extends Fields>(kind: Kind<F>, manifest: object) => {
    const parsed = parseObject(kind, manifest, kind.namespaced ? { namespace: 'default' } : {});
    if ('errors' in parsed) throw new Error(JSON.stringify(parsed.errors));
    return world.objects.create(kind, parsed.object);
  };
  const ready = { type: 'Ready', status: 'True', lastTransitionTime: '2026-01-01T00:00:00Z' };
  const capacity = { cpu: '4', memory: '8Gi', pods: '110' };
  await make(Node, {
    metadata: { name: 'n1', labels: { 'kubernetes.io/hostname': 'n1' } },
    status: { capacity, allocatable: capacity, conditions: [ready] },
  });
  await make(ConfigMap, {
    metadata: { name: 'plain', labels: { colour: 'red' } },
    data: { key: 'one' },
  });
  await make(ConfigMap, {
    metadata: { name: 'owned', managedFields: [ownedBy('someone')] },
    data: { key: 'one' },
  });
  await make(Service, {
    metadata: { name: 'web' },
    spec: { clusterIP: '10.96.0.9', selector: { app: 'web' }, ports: [{ port: 80 }] },
  });
  await make(EndpointSlice, {
    metadata: { name: 'web-1', labels: { 'kubernetes.io/service-name': 'web' } },
    ...{ addressType: 'IPv4', ports: [{ port: 80 }] },
    endpoints: [{ addresses: ['10.244.0.1'], conditions: { ready: true } }],
  });
  const owner = await make(Deployment, {
    metadata: { name: 'web', annotations: { 'deployment.kubernetes.io/revision': '2' } },
    spec: { replicas: 2, ...ofApp('web:2') },
    status: { observedGeneration: 1, replicas: 2, updatedReplicas: 2, availableReplicas: 2 },
  });
  const { uid } = owner.metadata;
  const [apiVersion, kind] = ['apps/v1', 'Deployment'];
  for (const revision of ['1', '2'])
    await make(ReplicaSet, {
      metadata: {
        ...{ name: `web-${revision}`, labels: { app: 'web' } },
        annotations: { 'deployment.kubernetes.io/revision': revision },
        ownerReferences: [{ apiVersion, kind, name: 'web', uid, controller: true }],
      },
      spec: { replicas: revision === '2' ? 2 : 0, ...ofApp(`web:${revision}`) },
    });
  const pod = await make(Pod, {
    metadata: { name: 'web-1', labels: { app: 'web' } },
    spec: { nodeName: 'n1', containers: [{ name: 'web', image: 'web:2' }] },
    status: {
      ...{ phase: 'Running', podIP: '10.244.0.1', conditions: [ready] },
      containerStatuses: [
        { name: 'web', ready: true, state: { running: { startedAt: '2026-01-01T00:00:00Z' } } },
      ],
    },
  });
  await make(Event, {
    metadata: { name: 'web-1.1' },
    involvedObject: { kind: 'Pod', namespace: 'default', name: 'web-1', uid: pod.metadata.uid },
    ...{ reason: 'Started', message: 'Started container web', type: 'Normal', count: 1 },
    ...{ firstTimestamp: '2026-01-01T00:00:00Z', lastTimestamp: '2026-01-01T00:00:00Z' },
  });
  usage.report('n1', {
    ...{ windowMs: 15_000, nodeCpuNanocores: 400_000_000, nodeMemoryBytes: 1024 ** 3 },
    containers: [
      {
        podUid: pod.metadata.uid,
        container: 'web',
        cpuNanocores: 50_000_000,
        memoryBytes: 2 ** 24,
      },
    ],
  });
  return world;
}

const ofApp = (image: string) => ({
  selector: { matchLabels: { app: 'web' } },
  template: {
    metadata: { labels: { app: 'web' } },
    spec: { containers: [{ name: 'web', image }] },
  },
});

const ownedBy = (manager: string) => ({
  ...{ manager, operation: 'Apply', apiVersion: 'v1', fieldsType: 'FieldsV1' },
  ...{ time: '2026-01-01T00:00:00Z', fieldsV1: { 'f:data': { 'f:key': {} } } },
});
