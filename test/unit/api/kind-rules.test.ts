import { describe, expect, it } from 'vitest';
import { ConfigMap } from '../../../api/config-map.ts';
import { Deployment } from '../../../api/deployment.ts';
import { EndpointSlice } from '../../../api/endpoint-slice.ts';
import { Event } from '../../../api/event.ts';
import { Node } from '../../../api/node.ts';
import { parseUpdate } from '../../../api/prepare.ts';
import { ReplicaSet } from '../../../api/replica-set.ts';
import { ClusterRole } from '../../../api/role.ts';
import { RoleBinding } from '../../../api/role-binding.ts';
import { Secret } from '../../../api/secret.ts';
import { Service, withClusterIp } from '../../../api/service.ts';
import { errorsOf, stored, updateErrorsOf } from '../../support/parse.ts';

const metadata = { name: 'web' };
const labelled = { labels: { app: 'web' } };
const podSpec = { containers: [{ name: 'web', image: 'nginx:1' }] };
const selector = { matchLabels: { app: 'web' } };

describe('a Deployment', () => {
  const deployment = (spec: object) => ({
    metadata,
    spec: { selector, template: { metadata: labelled, spec: podSpec }, ...spec },
  });
  it.each<[string, object, readonly string[]]>([
    ['may be plain', {}, []],
    [
      'selects the pods that it makes',
      { selector: { matchLabels: { app: 'api' } } },
      [
        'spec.template.metadata.labels: Invalid value: {"app":"web"}: `selector` does not match template `labels`',
      ],
    ],
    [
      'does not select everything',
      { selector: {} },
      ['spec.selector: Invalid value: {}: empty selector is invalid for deployment'],
    ],
    [
      'has a well-formed selector',
      {
        selector: {
          matchExpressions: [
            { key: 'app', operator: 'In' },
            { key: 'app', operator: 'Exists', values: ['x'] },
            { key: '/', operator: 'Exists' },
          ].slice(0, 2),
        },
      },
      [
        "spec.selector.matchExpressions[0].values: Required value: must be specified when `operator` is 'In' or 'NotIn'",
        "spec.selector.matchExpressions[1].values: Forbidden: may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
      ],
    ],
    [
      'needs a selector and a template',
      { selector: undefined, template: null },
      ['spec.selector: Required value', 'spec.template: Required value'],
    ],
    [
      'restarts its pods for ever',
      { template: { metadata: labelled, spec: { ...podSpec, restartPolicy: 'Never' } } },
      ['spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"'],
    ],
    [
      'names the place in the template',
      { template: { metadata: { labels: { app: 'web', b: '-' } }, spec: { containers: [] } } },
      [
        "spec.template.metadata.labels: Invalid value: \"-\": must consist of letters, digits, '-', '_' or '.', and start and end with a letter or digit, or be empty",
        'spec.template.spec.containers: Required value',
      ],
    ],
    [
      'has no rolling update when it is recreated',
      { strategy: { type: 'Recreate', rollingUpdate: { maxSurge: 1 } } },
      [
        "spec.strategy.rollingUpdate: Forbidden: may not be specified when strategy `type` is 'Recreate'",
      ],
    ],
    [
      'moves when it rolls',
      { strategy: { rollingUpdate: { maxSurge: '0%', maxUnavailable: 0 } } },
      [
        'spec.strategy.rollingUpdate.maxUnavailable: Invalid value: 0: may not be 0 when `maxSurge` is 0',
      ],
    ],
    [
      'counts in numbers or percentages',
      { strategy: { rollingUpdate: { maxSurge: -1, maxUnavailable: 'half' } } },
      [
        'spec.strategy.rollingUpdate.maxSurge: Invalid value: -1: must be greater than or equal to 0',
        'spec.strategy.rollingUpdate.maxUnavailable: Invalid value: "half": must be a number or a percentage such as \'25%\'',
      ],
    ],
    [
      'cannot lack more than all',
      { strategy: { rollingUpdate: { maxUnavailable: '101%' } } },
      [
        'spec.strategy.rollingUpdate.maxUnavailable: Invalid value: "101%": must not be greater than 100%',
      ],
    ],
    [
      'gives up after it could have succeeded',
      { progressDeadlineSeconds: 5, minReadySeconds: 5 },
      ['spec.progressDeadlineSeconds: Invalid value: 5: must be greater than minReadySeconds'],
    ],
  ])('%s', (_, spec, expected) => {
    expect(errorsOf(Deployment, deployment(spec))).toEqual(expected);
  });

  it('keeps its selector', () => {
    const previous = stored(Deployment, deployment({}));
    const next = deployment({
      selector: { matchLabels: { app: 'web', x: 'y' } },
      template: { metadata: { labels: { app: 'web', x: 'y' } }, spec: podSpec },
    });
    expect(updateErrorsOf(Deployment, next, previous)).toEqual([
      'spec.selector: Invalid value: {"matchLabels":{"app":"web","x":"y"}}: field is immutable',
    ]);
  });
});

it('a ReplicaSet selects the pods that it makes', () => {
  const spec = { selector, template: { spec: podSpec } };
  expect(errorsOf(ReplicaSet, { metadata, spec })).toEqual([
    'spec.template.metadata.labels: Invalid value: {}: `selector` does not match template `labels`',
  ]);
});

describe('a Service', () => {
  const service = (spec: object) => ({ metadata, spec });
  it.each<[string, object, readonly string[]]>([
    ['has ports', {}, ['spec.ports: Required value']],
    ['needs none when it is headless', { clusterIP: 'None' }, []],
    ['may stand for another name', { type: 'ExternalName', externalName: 'example.com.' }, []],
    ['must then say for which', { type: 'ExternalName' }, ['spec.externalName: Required value']],
    [
      'has no address then',
      { type: 'ExternalName', externalName: 'a', clusterIP: '10.0.0.1' },
      ['spec.clusterIP: Forbidden: may not be set for ExternalName services'],
    ],
    [
      'names its ports when there are several',
      { ports: [{ port: 80, name: 'a' }, { port: 81 }, { port: 82, name: 'a' }] },
      [
        'spec.ports[0].name: Duplicate value: "a"',
        'spec.ports[1].name: Required value',
        'spec.ports[2].name: Duplicate value: "a"',
      ],
    ],
    [
      'has each port once for a protocol',
      {
        ports: [
          { port: 53, name: 'a' },
          { port: 53, name: 'b', protocol: 'UDP' },
          { port: 53, name: 'c' },
        ],
      },
      ['spec.ports[2]: Duplicate value: {"port":53,"protocol":"TCP"}'],
    ],
    [
      'leads to real ports',
      { ports: [{ port: 80, targetPort: 70_000 }] },
      ['spec.ports[0].targetPort: Invalid value: 70000: must be between 1 and 65535, inclusive'],
    ],
    [
      'has an address that is one',
      { ports: [{ port: 80 }], clusterIP: '10.0.0.256' },
      ['spec.clusterIP: Invalid value: "10.0.0.256": must be a valid IPv4 address (e.g. 10.9.8.7)'],
    ],
    [
      'has the same address in both fields',
      { ports: [{ port: 80 }], clusterIP: '10.0.0.1', clusterIPs: ['10.0.0.2'] },
      ['spec.clusterIPs[0]: Invalid value: "10.0.0.2": must be the same as `clusterIP`'],
    ],
    [
      'remembers clients only when asked to',
      { ports: [{ port: 80 }], sessionAffinityConfig: { clientIP: {} } },
      ['spec.sessionAffinityConfig: Forbidden: must not be set when session affinity is None'],
    ],
    [
      'is not for balancers, for now',
      {
        ports: [{ port: 80 }],
        type: 'LoadBalancer',
        externalTrafficPolicy: 'Local',
        externalIPs: ['1.2.3.4'],
      },
      [
        'spec.type: "LoadBalancer" is not supported by orc yet',
        'spec.externalTrafficPolicy: "Local" is not supported by orc yet',
        'spec.externalIPs: not supported by orc yet',
      ],
    ],
    [
      'opens ports of the nodes only as a NodePort',
      { ports: [{ port: 80, nodePort: 30_000 }], externalTrafficPolicy: 'Cluster' },
      [
        "spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'",
        'spec.externalTrafficPolicy: Invalid value: "Cluster": may only be set for externally-accessible services',
      ],
    ],
    [
      'is not headless when nodes lead to it, and has each of their ports once for a protocol',
      {
        type: 'NodePort',
        clusterIP: 'None',
        ports: [
          { name: 'a', port: 1, nodePort: 30_001 },
          { name: 'b', port: 1, nodePort: 30_001, protocol: 'UDP' },
          { name: 'c', port: 2, nodePort: 30_001 },
        ],
      },
      [
        'spec.ports[2].nodePort: Duplicate value: 30001',
        'spec.clusterIP: Invalid value: "None": may not be set to \'None\' for NodePort services',
      ],
    ],
  ])('%s', (_, spec, expected) => {
    expect(errorsOf(Service, service(spec))).toEqual(expected);
  });

  it('has a name that a host could have had in 1987', () => {
    expect(errorsOf(Service, { metadata: { name: '1a' }, spec: { ports: [{ port: 1 }] } })).toEqual(
      [
        'metadata.name: Invalid value: "1a": must consist of lower case letters, digits or \'-\', start with a letter, and end with a letter or digit (RFC 1035 label)',
      ],
    );
  });

  const plain = service({ ports: [{ port: 80 }] });
  const previous = withClusterIp(stored(Service, plain), '10.96.0.7');

  it('keeps its address when an update does not mention it', () => {
    const parsed = parseUpdate(Service, plain, { previous });
    expect('object' in parsed && parsed.object.spec).toEqual(previous.spec);
  });

  it('cannot change its address', () => {
    const next = service({ ports: [{ port: 80 }], clusterIP: '10.96.0.8' });
    expect(updateErrorsOf(Service, next, previous)).toEqual([
      'spec.clusterIP: Invalid value: "10.96.0.8": field is immutable',
    ]);
  });

  it('gives its address up when it becomes a mere name', () => {
    const next = service({ type: 'ExternalName', externalName: 'example.com' });
    const parsed = parseUpdate(Service, next, { previous });
    expect('object' in parsed && parsed.object.spec.clusterIP).toBeUndefined();
  });

  it.each(['ClusterIP', 'NodePort'])(
    'gives up what it had as %s, also when a patch leaves it',
    (type) => {
      const given = withClusterIp(
        stored(Service, service({ type, ports: [{ port: 80 }] })),
        '10.96.0.7',
      );
      const next = { ...given, spec: { ...given.spec, type: 'ExternalName', externalName: 'a.b' } };
      const parsed = parseUpdate(Service, next, { previous: given });
      expect(parsed).not.toHaveProperty('errors');
      const { clusterIP, clusterIPs, ipFamilies } =
        ('object' in parsed && parsed.object.spec) || {};
      expect({ clusterIP, clusterIPs, ipFamilies }).toEqual({});
    },
  );

  it('is refused an address that it never had as a mere name', () => {
    const next = service({ type: 'ExternalName', externalName: 'a.b', clusterIP: '10.96.0.8' });
    expect(updateErrorsOf(Service, next, previous)).toEqual([
      'spec.clusterIP: Forbidden: may not be set for ExternalName services',
    ]);
  });

  it('claims its address, and only then', () => {
    expect([
      Service.claims(previous),
      Service.claims(stored(Service, service({ clusterIP: 'None' }))),
      Service.claims(stored(Service, plain)),
    ]).toEqual([[{ key: 'service-ip/10.96.0.7', path: 'spec.clusterIP' }], [], []]);
  });
});

describe('a RoleBinding', () => {
  const rbac = 'rbac.authorization.k8s.io';
  const binding = (name: string, ...subjects: readonly object[]) => ({
    metadata: { name },
    roleRef: { kind: 'Role', name: 'r' },
    subjects,
  });

  it.each<[string, object, readonly string[]]>([
    ['names users by their group', { kind: 'User', name: 'jane', apiGroup: rbac }, []],
    [
      'names no accounts so',
      { kind: 'ServiceAccount', name: 'ci', namespace: 'default', apiGroup: rbac },
      [`subjects[0].apiGroup: Unsupported value: "${rbac}": supported values: ""`],
    ],
    [
      'needs the namespace of an account',
      { kind: 'ServiceAccount', name: 'ci' },
      ['subjects[0].namespace: Required value'],
    ],
    [
      'knows no namespace of a user',
      { kind: 'User', name: 'ci', namespace: 'default' },
      ['subjects[0].namespace: Forbidden: of ServiceAccounts only'],
    ],
  ])('%s', (_, subject, expected) => {
    expect(errorsOf(RoleBinding, binding('web', subject))).toEqual(expected);
  });

  it('has a name that fits a path, and one role for good', () => {
    expect(errorsOf(RoleBinding, binding('system:a:b'))).toEqual([]);
    for (const name of ['a/b', 'a%b', '..', 'a\nb', 'x'.repeat(254)])
      expect(errorsOf(RoleBinding, binding(name))).toHaveLength(1);
    const previous = stored(RoleBinding, binding('web'));
    const other = { ...binding('web'), roleRef: { kind: 'ClusterRole', name: 'r' } };
    expect(updateErrorsOf(RoleBinding, other, previous)).toEqual([
      expect.stringMatching(/^roleRef: Invalid value: .*: cannot change roleRef$/),
    ]);
  });
});

describe('a Secret', () => {
  it.each<[string, object, readonly string[]]>([
    ['may hold anything', { data: { k: 'eA==' } }, []],
    [
      'for TLS has both halves',
      { type: 'kubernetes.io/tls', data: { 'tls.crt': 'eA==' } },
      ['data[tls.key]: Required value'],
    ],
    [
      'for registries holds JSON',
      { type: 'kubernetes.io/dockerconfigjson', stringData: { '.dockerconfigjson': '{' } },
      ['data[.dockerconfigjson]: Invalid value: "<secret contents redacted>": must be JSON'],
    ],
    [
      'is of a bounded size',
      { stringData: { k: 'x'.repeat(1_048_577) } },
      ['data: Too long: must have at most 1048576 bytes'],
    ],
    [
      'is no token of a ServiceAccount that nobody fills in',
      { type: 'kubernetes.io/service-account-token' },
      ['type: "kubernetes.io/service-account-token" is not supported by orc yet'],
    ],
  ])('%s', (_, fields, expected) => {
    expect(errorsOf(Secret, { metadata, ...fields })).toEqual(expected);
  });

  it('keeps its type, and everything when it is immutable', () => {
    const previous = stored(Secret, { metadata, data: { k: 'eA==' }, immutable: true });
    expect(
      updateErrorsOf(Secret, { metadata, type: 'x/y', data: { k: 'eQ==' } }, previous),
    ).toEqual([
      'type: Invalid value: "x/y": field is immutable',
      'data: Forbidden: field is immutable when `immutable` is set',
      'immutable: Forbidden: field is immutable when `immutable` is set',
    ]);
  });
});

it('a ConfigMap is of a bounded size and has each key once', () => {
  const json = { metadata, data: { k: 'x'.repeat(1_048_577) }, binaryData: { k: '' } };
  expect(errorsOf(ConfigMap, json)).toEqual([
    'binaryData.k: Duplicate value: "k"',
    'data: Too long: must have at most 1048576 bytes',
  ]);
});

it('a ConfigMap that is immutable stays', () => {
  const previous = stored(ConfigMap, { metadata, data: { k: 'v' }, immutable: true });
  expect(
    updateErrorsOf(ConfigMap, { metadata, data: { k: 'w' }, immutable: true }, previous),
  ).toEqual(['data: Forbidden: field is immutable when `immutable` is set']);
});

it('a Node has well-formed taints, each once', () => {
  const taints = [
    { key: 'a', effect: 'NoSchedule' },
    { key: 'a', effect: 'NoExecute' },
    { key: 'a', effect: 'NoSchedule', value: '!' },
  ];
  expect(errorsOf(Node, { metadata, spec: { taints } })).toEqual([
    "spec.taints[2].value: Invalid value: \"!\": must consist of letters, digits, '-', '_' or '.', and start and end with a letter or digit, or be empty",
    'spec.taints[2]: Duplicate value: "a:NoSchedule"',
  ]);
});

it('a Node keeps its addresses for pods, and claims them', () => {
  const previous = stored(Node, { metadata, spec: { podCIDR: '10.244.0.0/22' } });
  const parsed = parseUpdate(Node, { metadata, spec: { unschedulable: true } }, { previous });
  expect('object' in parsed && parsed.object.spec).toEqual({
    podCIDR: '10.244.0.0/22',
    unschedulable: true,
  });
  expect(updateErrorsOf(Node, { metadata, spec: { podCIDR: '10.0.0.0/22' } }, previous)).toEqual([
    'spec.podCIDR: Invalid value: "10.0.0.0/22": field is immutable',
  ]);
  expect(Node.claims(previous)).toEqual([{ key: 'pod-cidr/10.244.0.0/22', path: 'spec.podCIDR' }]);
});

it('an EndpointSlice holds addresses of its type', () => {
  const slice = {
    addressType: 'IPv4',
    endpoints: [{ addresses: ['::1', '010.0.0.1'] }, { addresses: [] }],
  };
  expect(errorsOf(EndpointSlice, { metadata, ...slice })).toEqual([
    'endpoints[0].addresses[0]: Invalid value: "::1": must be a valid IPv4 address (e.g. 10.9.8.7)',
    'endpoints[0].addresses[1]: Invalid value: "010.0.0.1": must be a valid IPv4 address (e.g. 10.9.8.7)',
    'endpoints[1].addresses: Required value: must contain at least 1 address',
  ]);
});

it('an EndpointSlice has every port under a name of its own', () => {
  const ports = [
    { name: 'a', port: 1 },
    { port: 2 },
    { name: 'a', port: 3 },
    { name: 'A', port: 4 },
  ];
  expect(errorsOf(EndpointSlice, { metadata, addressType: 'IPv4', ports })).toEqual([
    'ports[2].name: Duplicate value: "a"',
    expect.stringMatching(/^ports\[3\]\.name: Invalid value: "A": must consist of /),
  ]);
});

it('a ClusterRole gathers by well-formed selectors', () => {
  const matchExpressions = [{ key: 'app', operator: 'NotIn' }];
  const aggregationRule = { clusterRoleSelectors: [{}, { matchExpressions }] };
  expect(errorsOf(ClusterRole, { metadata, aggregationRule })).toEqual([
    "aggregationRule.clusterRoleSelectors[1].matchExpressions[0].values: Required value: must be specified when `operator` is 'In' or 'NotIn'",
  ]);
});

it('an Event is where its object is', () => {
  expect(errorsOf(Event, { metadata, involvedObject: { namespace: 'other' } })).toEqual([
    'involvedObject.namespace: Invalid value: "other": does not match event.namespace',
  ]);
});
