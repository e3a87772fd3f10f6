import { describe, expect, it } from 'vitest';
import { ConfigProblem } from '../../../../agent/pods/config-entries.ts';
import {
  type EnvironmentInput,
  environmentOf,
  expand,
} from '../../../../agent/pods/environment.ts';
import type { ConfigMap } from '../../../../api/config-map.ts';
import type { Secret } from '../../../../api/secret.ts';
import { anAssignment } from '../../../support/a-pod.ts';

const meta = {
  name: 'settings',
  namespace: 'default',
  uid: 'u',
  resourceVersion: '1',
  creationTimestamp: '',
};
const settings = {
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: meta,
  data: { COLOR: 'blue', mode: 'fast' },
} satisfies ConfigMap;
const password: Secret = {
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { ...meta, name: 'password' },
  type: 'Opaque',
  data: { PASSWORD: Buffer.from('s3cret').toString('base64') },
};

function environment(container: object, change: Partial<EnvironmentInput> = {}) {
  const assignment = {
    ...anAssignment(
      { containers: [{ name: 'web', image: 'web:1', ...container }] },
      { labels: { app: 'web' } },
    ),
    configMaps: new Map([['settings', settings]]),
    secrets: new Map([['password', password]]),
  };
  const [first] = assignment.pod.spec.containers;
  const input = {
    assignment,
    podIp: '10.244.0.2',
    hostIp: '172.30.0.11',
    nodeName: 'host1',
    network: undefined,
  };
  return Object.fromEntries(environmentOf(first!, { ...input, ...change }));
}

describe('a container’s environment', () => {
  it('has the variables of the pod, later ones made of earlier ones', () => {
    const env = [
      { name: 'HOST', value: 'db' },
      { name: 'URL', value: 'http://$(HOST):80/$(NOPE)/$$(HOST)' },
    ];
    expect(environment({ env })).toEqual({ HOST: 'db', URL: 'http://db:80/$(NOPE)/$(HOST)' });
  });

  it('takes every key of ConfigMaps and Secrets, with a prefix, and lets env win', () => {
    const envFrom = [
      { configMapRef: { name: 'settings' } },
      { prefix: 'DB_', secretRef: { name: 'password' } },
    ];
    expect(environment({ envFrom, env: [{ name: 'COLOR', value: 'red' }] })).toEqual({
      COLOR: 'red',
      mode: 'fast',
      DB_PASSWORD: 's3cret',
    });
  });

  it('takes single keys and fields of the pod', () => {
    const env = [
      { name: 'A', valueFrom: { configMapKeyRef: { name: 'settings', key: 'mode' } } },
      { name: 'B', valueFrom: { secretKeyRef: { name: 'password', key: 'PASSWORD' } } },
      { name: 'C', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
      { name: 'D', valueFrom: { fieldRef: { fieldPath: 'spec.nodeName' } } },
      { name: 'E', valueFrom: { fieldRef: { fieldPath: "metadata.labels['app']" } } },
    ];
    expect(environment({ env })).toEqual({
      A: 'fast',
      B: 's3cret',
      C: '10.244.0.2',
      D: 'host1',
      E: 'web',
    });
  });

  it('says what is missing, unless it is optional', () => {
    const missing = (optional: boolean) => ({
      env: [
        { name: 'A', valueFrom: { configMapKeyRef: { name: 'settings', key: 'nope', optional } } },
      ],
    });
    expect(() => environment(missing(false))).toThrow(
      new ConfigProblem("couldn't find key nope in ConfigMap settings"),
    );
    expect(environment(missing(true))).toEqual({});
    expect(() => environment({ envFrom: [{ secretRef: { name: 'nope' } }] })).toThrow(
      new ConfigProblem('secret "nope" not found'),
    );
  });

  it('names the Services of the namespace', () => {
    const service = {
      namespace: 'default',
      name: 'my-db',
      clusterIp: '10.96.0.7',
      sessionAffinityMs: undefined,
      ports: [
        { name: 'sql', protocol: 'TCP' as const, port: 5432, nodePort: undefined, endpoints: [] },
      ],
      addresses: [],
      externalName: undefined,
    };
    const network = {
      podCidr: '10.244.0.0/22',
      clusterPodCidr: '10.244.0.0/14',
      serviceCidr: '10.96.0.0/16',
      clusterDomain: 'cluster.local',
      dnsServiceIp: '10.96.0.10',
      nodes: [],
      services: [service, { ...service, namespace: 'other', name: 'hidden' }],
    };
    expect(environment({}, { network })).toEqual({
      MY_DB_SERVICE_HOST: '10.96.0.7',
      MY_DB_SERVICE_PORT: '5432',
      MY_DB_SERVICE_PORT_SQL: '5432',
      MY_DB_PORT: 'tcp://10.96.0.7:5432',
      MY_DB_PORT_5432_TCP: 'tcp://10.96.0.7:5432',
      MY_DB_PORT_5432_TCP_PROTO: 'tcp',
      MY_DB_PORT_5432_TCP_PORT: '5432',
      MY_DB_PORT_5432_TCP_ADDR: '10.96.0.7',
    });
  });
});

it('expands nothing in a text without references', () => {
  expect(expand('a $ b $c $(', new Map([['c', 'x']]))).toBe('a $ b $c $(');
});
