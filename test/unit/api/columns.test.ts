import { describe, expect, it } from 'vitest';
import { Deployment } from '../../../api/deployment.ts';
import { EndpointSlice } from '../../../api/endpoint-slice.ts';
import { Event } from '../../../api/event.ts';
import { formatAge } from '../../../api/format-age.ts';
import type { Kind, KubeObject } from '../../../api/kind.ts';
import { Node } from '../../../api/node.ts';
import { Pod } from '../../../api/pod.ts';
import type { Fields } from '../../../api/schema.ts';
import { Service, withClusterIp } from '../../../api/service.ts';
import { stored } from '../../support/parse.ts';

const now = Date.parse('2026-01-01T01:00:00Z');
const cells = <F extends Fields>(kind: Kind<F>, object: KubeObject<F>) =>
  kind.columns.map((column) => column.of(object, now));

const metadata = { name: 'web' };
const running = { state: { running: { startedAt: '2026-01-01T00:00:00Z' } }, ready: true };
const waiting = (reason: string) => ({ state: { waiting: { reason } } });
const ended = (terminated: object) => ({ state: { terminated } });
const isTrue = (type: string) => ({ type, status: 'True' });

describe('the status word of a pod', () => {
  const pod = (status: object, meta: object = {}) => {
    const statuses = status as { containerStatuses?: object[]; initContainerStatuses?: object[] };
    const named = (list: object[] | undefined, prefix: string) =>
      list?.map((one, index) => ({ name: `${prefix}${index}`, ...one }));
    const containers = [0, 1].map((index) => ({ name: `c${index}`, image: 'a' }));
    const initContainers = [0, 1].map((index) => ({ name: `i${index}`, image: 'a' }));
    const object = stored(Pod, {
      metadata,
      spec: { containers, initContainers },
      status: {
        ...status,
        containerStatuses: named(statuses.containerStatuses, 'c'),
        initContainerStatuses: named(statuses.initContainerStatuses, 'i'),
      },
    });
    return { ...object, metadata: { ...object.metadata, ...meta } };
  };
  const initialized = [isTrue('Initialized')];
  it.each<[string, object, object]>([
    ['Pending', {}, {}],
    ['Evicted', { phase: 'Failed', reason: 'Evicted' }, {}],
    ['Init:0/2', { initContainerStatuses: [running] }, {}],
    [
      'Init:1/2',
      { initContainerStatuses: [ended({ exitCode: 0 }), waiting('PodInitializing')] },
      {},
    ],
    ['Init:CrashLoopBackOff', { initContainerStatuses: [waiting('CrashLoopBackOff')] }, {}],
    ['Init:Error', { initContainerStatuses: [ended({ exitCode: 1, reason: 'Error' })] }, {}],
    ['Init:ExitCode:3', { initContainerStatuses: [ended({ exitCode: 3 })] }, {}],
    ['Init:Signal:9', { initContainerStatuses: [ended({ exitCode: 137, signal: 9 })] }, {}],
    [
      'Running',
      { phase: 'Running', conditions: initialized, containerStatuses: [running, running] },
      {},
    ],
    [
      'ImagePullBackOff',
      { conditions: initialized, containerStatuses: [running, waiting('ImagePullBackOff')] },
      {},
    ],
    [
      'OOMKilled',
      {
        phase: 'Running',
        conditions: initialized,
        containerStatuses: [ended({ exitCode: 137, reason: 'OOMKilled' }), running],
      },
      {},
    ],
    [
      'Completed',
      {
        phase: 'Succeeded',
        conditions: initialized,
        containerStatuses: [ended({ exitCode: 0, reason: 'Completed' })],
      },
      {},
    ],
    [
      'NotReady',
      {
        phase: 'Running',
        conditions: initialized,
        containerStatuses: [ended({ exitCode: 0, reason: 'Completed' }), running],
      },
      {},
    ],
    ['Terminating', { phase: 'Running' }, { deletionTimestamp: '2026-01-01T00:00:30Z' }],
    [
      'Unknown',
      { phase: 'Running', reason: 'NodeLost' },
      { deletionTimestamp: '2026-01-01T00:00:30Z' },
    ],
    ['Failed', { phase: 'Failed' }, { deletionTimestamp: '2026-01-01T00:00:30Z' }],
  ])('is %s', (word, status, meta) => {
    expect(cells(Pod, pod(status, meta))[1]).toBe(word);
  });

  it('stands between what is ready and what was restarted', () => {
    const restarted = {
      ...waiting('CrashLoopBackOff'),
      restartCount: 3,
      lastState: { terminated: { exitCode: 1, finishedAt: '2026-01-01T00:55:00Z' } },
    };
    const status = {
      phase: 'Running',
      podIP: '10.244.0.2',
      conditions: initialized,
      containerStatuses: [running, restarted],
    };
    expect(cells(Pod, pod(status))).toEqual([
      '1/2',
      'CrashLoopBackOff',
      '3 (5m ago)',
      '10.244.0.2',
      '<none>',
      '<none>',
      '<none>',
    ]);
  });
});

it('a Deployment shows what is ready, up to date and available', () => {
  const deployment = stored(Deployment, {
    metadata,
    spec: {
      replicas: 3,
      selector: { matchLabels: { app: 'web' } },
      template: {
        metadata: { labels: { app: 'web' } },
        spec: {
          containers: [
            { name: 'a', image: 'x:1' },
            { name: 'b', image: 'y:1' },
          ],
        },
      },
    },
    status: { readyReplicas: 2, updatedReplicas: 1, availableReplicas: 2 },
  });
  expect(cells(Deployment, deployment)).toEqual(['2/3', 1, 2, 'a,b', 'x:1,y:1', 'app=web']);
});

it('a Service shows its address and ports', () => {
  const spec = {
    type: 'NodePort',
    selector: { app: 'web' },
    ports: [
      { name: 'a', port: 80, nodePort: 31_234 },
      { name: 'b', port: 53, protocol: 'UDP' },
    ],
  };
  const service = withClusterIp(stored(Service, { metadata, spec }), '10.96.0.7');
  expect(cells(Service, service)).toEqual([
    'NodePort',
    '10.96.0.7',
    '<none>',
    '80:31234/TCP,53/UDP',
    'app=web',
  ]);
});

it('a Node shows whether it is ready, and its roles', () => {
  const node = stored(Node, {
    metadata: { ...metadata, labels: { 'node-role.kubernetes.io/worker': '' } },
    spec: { unschedulable: true },
    status: {
      conditions: [isTrue('Ready')],
      addresses: [{ type: 'InternalIP', address: '192.0.2.1' }],
    },
  });
  expect(cells(Node, node)).toEqual([
    'Ready,SchedulingDisabled',
    'worker',
    '60m',
    '',
    '192.0.2.1',
    '<none>',
    '<unknown>',
    '<unknown>',
    '<unknown>',
  ]);
});

it('an EndpointSlice shows three of its addresses', () => {
  const slice = stored(EndpointSlice, {
    metadata,
    addressType: 'IPv4',
    ports: [{ port: 80 }],
    endpoints: [1, 2, 3, 4].map((n) => ({ addresses: [`10.0.0.${n}`] })),
  });
  expect(cells(EndpointSlice, slice)).toEqual([
    'IPv4',
    '80',
    '10.0.0.1,10.0.0.2,10.0.0.3 + 1 more...',
  ]);
});

it('an Event shows when it was last seen, and on what', () => {
  const event = stored(Event, {
    metadata,
    involvedObject: { kind: 'Pod', namespace: 'default', name: 'web' },
    lastTimestamp: '2026-01-01T00:59:30Z',
    firstTimestamp: '2026-01-01T00:00:00Z',
    type: 'Warning',
    reason: 'BackOff',
    message: 'again\n',
    count: 4,
    source: { component: 'agent', host: 'a' },
  });
  expect(cells(Event, event)).toEqual([
    '30s',
    'Warning',
    'BackOff',
    'pod/web',
    'again',
    '',
    'agent, a',
    4,
    'web',
    '60m',
  ]);
});

it.each([
  [-5, '<invalid>'],
  [0, '0s'],
  [119, '119s'],
  [120, '2m'],
  [599, '9m59s'],
  [600, '10m'],
  [10_799, '179m'],
  [10_800, '3h'],
  [12_000, '3h20m'],
  [28_800, '8h'],
  [172_799, '47h'],
  [172_800, '2d'],
  [180_000, '2d2h'],
  [691_200, '8d'],
  [86_400 * 729, '729d'],
  [86_400 * 740, '2y10d'],
  [86_400 * 365 * 9, '9y'],
])('%d seconds are %s', (seconds, text) => {
  expect(formatAge(seconds * 1000)).toBe(text);
});
