import { expect, it } from 'vitest';
import { Deployment } from '../../../api/deployment.ts';
import { EndpointSlice } from '../../../api/endpoint-slice.ts';
import { Event } from '../../../api/event.ts';
import { kinds } from '../../../api/kinds.ts';
import { Namespace } from '../../../api/namespace.ts';
import { Pod } from '../../../api/pod.ts';
import { ReplicaSet } from '../../../api/replica-set.ts';
import { Secret } from '../../../api/secret.ts';
import { Service } from '../../../api/service.ts';
import { stored } from '../../support/parse.ts';

/** Written by hand from what Kubernetes 1.33 answers; orc's own additions are named as such. */

const metadata = { name: 'web' };
const containerDefaults = {
  terminationMessagePath: '/dev/termination-log',
  terminationMessagePolicy: 'File',
};
const podDefaults = {
  restartPolicy: 'Always',
  terminationGracePeriodSeconds: 30,
  dnsPolicy: 'ClusterFirst',
  securityContext: {},
  schedulerName: 'default-scheduler',
  // orc's: pods have user ids of their own unless they ask otherwise
  hostUsers: false,
};

it('a Pod', () => {
  const pod = stored(Pod, {
    metadata,
    spec: {
      initContainers: [{ name: 'init', image: 'busybox:1' }],
      containers: [
        {
          name: 'web',
          image: 'nginx',
          ports: [{ containerPort: 80 }],
          resources: { limits: { cpu: '0.5', memory: '1024Mi' }, requests: { cpu: 0.25 } },
          livenessProbe: { httpGet: { port: 80 } },
        },
      ],
      volumes: [{ name: 'a' }, { name: 'b', configMap: { name: 'c' } }],
    },
  });
  expect({ spec: pod.spec, status: pod.status }).toEqual({
    spec: {
      ...podDefaults,
      enableServiceLinks: true,
      initContainers: [
        {
          name: 'init',
          image: 'busybox:1',
          imagePullPolicy: 'IfNotPresent',
          resources: {},
          ...containerDefaults,
        },
      ],
      containers: [
        {
          name: 'web',
          image: 'nginx',
          imagePullPolicy: 'Always',
          ports: [{ containerPort: 80, protocol: 'TCP' }],
          resources: {
            limits: { cpu: '500m', memory: '1Gi' },
            requests: { cpu: '250m', memory: '1Gi' },
          },
          livenessProbe: {
            httpGet: { port: 80, path: '/', scheme: 'HTTP' },
            timeoutSeconds: 1,
            periodSeconds: 10,
            successThreshold: 1,
            failureThreshold: 3,
          },
          ...containerDefaults,
        },
      ],
      volumes: [
        { name: 'a', emptyDir: {} },
        { name: 'b', configMap: { name: 'c', defaultMode: 420 } },
      ],
    },
    status: { phase: 'Pending', qosClass: 'Burstable' },
  });
});

it.each([
  ['nginx', 'Always'],
  ['nginx:latest', 'Always'],
  ['registry:5000/nginx', 'Always'],
  ['nginx:1.27', 'IfNotPresent'],
  ['registry:5000/nginx:1.27', 'IfNotPresent'],
  [`nginx@sha256:${'0'.repeat(64)}`, 'IfNotPresent'],
  [`nginx:latest@sha256:${'0'.repeat(64)}`, 'Always'],
])('the pull policy of %s', (image, policy) => {
  const pod = stored(Pod, { metadata, spec: { containers: [{ name: 'web', image }] } });
  expect(pod.spec.containers[0]?.imagePullPolicy).toBe(policy);
});

it('hostUsers follows hostNetwork', () => {
  const spec = { hostNetwork: true, containers: [{ name: 'web', image: 'a' }] };
  expect(stored(Pod, { metadata, spec }).spec.hostUsers).toBe(true);
});

const selector = { matchLabels: { app: 'web' } };
const template = {
  metadata: { labels: { app: 'web' } },
  spec: { containers: [{ name: 'web', image: 'nginx:1', resources: { limits: { cpu: 1 } } }] },
};
const defaultedTemplate = {
  metadata: { labels: { app: 'web' } },
  spec: {
    ...podDefaults,
    containers: [
      {
        name: 'web',
        image: 'nginx:1',
        imagePullPolicy: 'IfNotPresent',
        resources: { limits: { cpu: '1' } },
        ...containerDefaults,
      },
    ],
  },
};

it('a Deployment', () => {
  const { spec, status } = stored(Deployment, {
    metadata,
    spec: { selector, template, strategy: {} },
    status: {},
  });
  expect({ spec, status }).toEqual({
    spec: {
      replicas: 1,
      selector,
      template: defaultedTemplate,
      strategy: {
        type: 'RollingUpdate',
        rollingUpdate: { maxSurge: '25%', maxUnavailable: '25%' },
      },
      revisionHistoryLimit: 10,
      progressDeadlineSeconds: 600,
    },
    status: {},
  });
});

it('a Deployment that is recreated has no rolling update', () => {
  const strategy = { type: 'Recreate' };
  const { spec } = stored(Deployment, { metadata, spec: { selector, template, strategy } });
  expect(spec.strategy).toEqual(strategy);
});

it('a ReplicaSet', () => {
  const { spec, status } = stored(ReplicaSet, { metadata, spec: { selector, template } });
  expect({ spec, status }).toEqual({
    spec: { replicas: 1, selector, template: defaultedTemplate },
    status: { replicas: 0 },
  });
});

it('a Service', () => {
  const { spec, status } = stored(Service, {
    metadata,
    spec: { ports: [{ port: 80 }, { name: 'b', port: 81, targetPort: 'http' }].slice(0, 1) },
  });
  expect({ spec, status }).toEqual({
    spec: {
      type: 'ClusterIP',
      ports: [{ port: 80, protocol: 'TCP', targetPort: 80 }],
      sessionAffinity: 'None',
      internalTrafficPolicy: 'Cluster',
      ipFamilies: ['IPv4'],
      ipFamilyPolicy: 'SingleStack',
    },
    status: { loadBalancer: {} },
  });
});

it('a Service with a given address and sticky clients', () => {
  const { spec } = stored(Service, {
    metadata,
    spec: { ports: [{ port: 80 }], clusterIP: 'None', sessionAffinity: 'ClientIP' },
  });
  expect([spec.clusterIPs, spec.sessionAffinityConfig]).toEqual([
    ['None'],
    { clientIP: { timeoutSeconds: 10_800 } },
  ]);
});

it('a Secret: stringData becomes data and is gone', () => {
  const secret = stored(Secret, {
    metadata,
    data: { a: 'eA==', b: 'eA==' },
    stringData: { a: 'ä' },
  });
  expect(secret).toEqual({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: secret.metadata,
    type: 'Opaque',
    data: { a: 'w6Q=', b: 'eA==' },
  });
});

it('a Namespace', () => {
  const { spec, status, metadata: meta } = stored(Namespace, { metadata });
  expect([meta.labels, spec, status]).toEqual([
    { 'kubernetes.io/metadata.name': 'web' },
    { finalizers: ['kubernetes'] },
    { phase: 'Active' },
  ]);
});

it('an EndpointSlice', () => {
  const slice = stored(EndpointSlice, {
    metadata,
    addressType: 'IPv4',
    endpoints: [{ addresses: ['10.0.0.1'] }],
    ports: [{ port: 80 }],
  });
  expect([slice.endpoints, slice.ports]).toEqual([
    [{ addresses: ['10.0.0.1'], conditions: {} }],
    [{ port: 80, name: '', protocol: 'TCP' }],
  ]);
});

it('an Event', () => {
  const event = stored(Event, { metadata, involvedObject: { namespace: 'default' } });
  expect([event.source, event.reportingComponent, event.reportingInstance]).toEqual([{}, '', '']);
});

it('the fields of every kind say what they hold', () => {
  expect(kinds.filter(({ schema }) => schema.about === undefined)).toEqual([]);
});
