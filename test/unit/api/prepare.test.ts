import { describe, expect, it } from 'vitest';
import { ConfigMap } from '../../../api/config-map.ts';
import { Namespace } from '../../../api/namespace.ts';
import { Pod } from '../../../api/pod.ts';
import { parseObject, parseUpdate } from '../../../api/prepare.ts';
import { errorsOf, stored, updateErrorsOf } from '../../support/parse.ts';

const pod = (spec: object) => ({ metadata: { name: 'web' }, spec });
const container = { name: 'web', image: 'nginx:1.27' };

describe('the shape of a manifest', () => {
  it.each<[string, unknown, readonly string[]]>([
    [
      'names a misspelled field and what was meant',
      pod({ containers: [{ ...container, imagePullPolici: 'Never' }] }),
      ['spec.containers[0].imagePullPolici: unknown field; did you mean "imagePullPolicy"?'],
    ],
    [
      'names a field that nobody knows',
      pod({ containers: [container], colour: 'red' }),
      ['spec.colour: unknown field'],
    ],
    [
      'does not take fields of every object for fields of its own',
      pod({ containers: [container], constructor: 1, toString: 2 }),
      ['spec.constructor: unknown field', 'spec.toString: unknown field'],
    ],
    [
      'says which type was expected',
      pod({
        containers: [{ ...container, image: true, args: 'x', ports: [{ containerPort: '80' }] }],
      }),
      [
        'spec.containers[0].image: Invalid value: true: must be a string, not a boolean',
        'spec.containers[0].args: Invalid value: "x": must be a list, not a string',
        'spec.containers[0].ports[0].containerPort: Invalid value: "80": must be an integer, not a string',
      ],
    ],
    [
      'says what is required',
      pod({ containers: [{ image: 'x' }] }),
      ['spec.containers[0].name: Required value'],
    ],
    [
      'says what is required when it is empty',
      pod({ containers: [{ name: 'x', image: '' }] }),
      ['spec.containers[0].image: Required value'],
    ],
    [
      'says which values there are',
      pod({ containers: [container], restartPolicy: 'Sometimes' }),
      [
        'spec.restartPolicy: Unsupported value: "Sometimes": supported values: "Always", "OnFailure", "Never"',
      ],
    ],
    [
      'refuses by name what Kubernetes has and orc lacks',
      pod({
        containers: [
          {
            ...container,
            lifecycle: { preStop: {} },
            ports: [{ containerPort: 80, hostPort: 80 }],
            restartPolicy: 'Always',
          },
        ],
        volumes: [{ name: 'd', hostPath: { path: '/' } }],
        topologySpreadConstraints: [{ maxSkew: 1 }],
        hostPID: true,
        dnsPolicy: 'None',
      }),
      [
        'spec.containers[0].lifecycle: not supported by orc yet',
        'spec.containers[0].restartPolicy: not supported by orc yet',
        'spec.volumes[0].hostPath: not supported by orc yet',
        'spec.topologySpreadConstraints: not supported by orc yet',
        'spec.hostPID: not supported by orc yet',
        'spec.dnsPolicy: "None" is not supported by orc yet',
      ],
    ],
    [
      'accepts what it lacks when it holds Kubernetes’ default',
      pod({
        containers: [
          {
            ...container,
            tty: false,
            terminationMessagePath: '/dev/termination-log',
            securityContext: { procMount: 'Default' },
            resources: {},
          },
        ],
        hostPID: false,
        serviceAccountName: 'default',
        affinity: {},
        ephemeralContainers: [],
        priorityClassName: '',
        securityContext: {},
        schedulerName: 'default-scheduler',
      }),
      [],
    ],
    [
      'takes null for absent, also where Kubernetes writes it',
      {
        metadata: { name: 'web', creationTimestamp: null },
        spec: { containers: [container], volumes: null },
        status: {},
      },
      [],
    ],
    [
      'names a duplicate by its key',
      pod({
        containers: [
          container,
          { ...container, ports: [{ containerPort: 80 }, { containerPort: 80, protocol: 'TCP' }] },
        ],
      }),
      ['spec.containers[1].ports[1]: Duplicate value: {"containerPort":80,"protocol":"TCP"}'],
    ],
    [
      'names a duplicate container',
      pod({ containers: [container, container] }),
      ['spec.containers[1].name: Duplicate value: "web"'],
    ],
    [
      'keeps numbers in their range',
      pod({
        containers: [{ ...container, ports: [{ containerPort: 0 }] }],
        terminationGracePeriodSeconds: -1,
      }),
      [
        'spec.containers[0].ports[0].containerPort: Invalid value: 0: must be between 1 and 65535, inclusive',
        'spec.terminationGracePeriodSeconds: Invalid value: -1: must be greater than or equal to 0',
      ],
    ],
    ['wants an object', 'x', [': Invalid value: "x": must be an object, not a string']],
    [
      'wants the kind that the address says',
      { apiVersion: 'v2', kind: 'Pot', ...pod({ containers: [container] }) },
      [
        'apiVersion: Invalid value: "v2": must be "v1" here',
        'kind: Invalid value: "Pot": must be "Pod" here',
      ],
    ],
  ])('%s', (_, json, expected) => {
    expect(errorsOf(Pod, json)).toEqual(expected);
  });

  it('checks base64, and keys', () => {
    const json = {
      metadata: { name: 'c' },
      data: { 'a/b': 'x' },
      binaryData: { k: '*', ok: 'aGk=' },
    };
    expect(errorsOf(ConfigMap, json)).toEqual([
      "data[a/b]: Invalid value: \"a/b\": must consist of letters, digits, '-', '_' or '.'",
      'binaryData.k: Invalid value: "*": must be base64',
    ]);
  });

  it('keeps a key that means something to JavaScript', () => {
    const json: unknown = JSON.parse(
      '{"metadata":{"name":"c"},"data":{"__proto__":"x","constructor":"y"}}',
    );
    expect(JSON.stringify(parseObject(ConfigMap, json, { namespace: 'd' }))).toContain(
      '"data":{"__proto__":"x","constructor":"y"}',
    );
  });
});

describe('unknown fields', () => {
  const json = { metadata: { name: 'c', colour: 'red' }, data: { k: 'v' }, dota: {} };

  it('are dropped and told with Warn', () => {
    const parsed = parseObject(ConfigMap, json, { namespace: 'd', fieldValidation: 'Warn' });
    expect(parsed).toEqual({
      object: {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name: 'c', namespace: 'd' },
        data: { k: 'v' },
      },
      warnings: [
        { path: 'metadata.colour', reason: 'FieldUnknown', message: 'unknown field' },
        { path: 'dota', reason: 'FieldUnknown', message: 'unknown field; did you mean "data"?' },
      ],
    });
  });

  it('are dropped without a word with Ignore', () => {
    const parsed = parseObject(ConfigMap, json, { namespace: 'd', fieldValidation: 'Ignore' });
    expect('object' in parsed && parsed.warnings).toEqual([]);
  });
});

describe('metadata', () => {
  const named = (metadata: object) => ({ metadata });
  it.each<[string, object, readonly string[]]>([
    ['needs a name', {}, ['metadata.name: Required value: name or generateName is required']],
    ['may have a name made up', { generateName: 'web-' }, []],
    [
      'has a name of the right form',
      { name: 'Web' },
      [
        "metadata.name: Invalid value: \"Web\": must consist of lower case letters, digits, '-' or '.', and start and end with a letter or digit (RFC 1123 subdomain)",
      ],
    ],
    [
      'has labels of the right form',
      { name: 'a', labels: { 'a b': 'x', 'X.com/a': 'v', ok: 'a b' } },
      [
        "metadata.labels: Invalid value: \"a b\": name part must consist of letters, digits, '-', '_' or '.', and start and end with a letter or digit",
        "metadata.labels: Invalid value: \"X.com/a\": prefix part must consist of lower case letters, digits, '-' or '.', and start and end with a letter or digit (RFC 1123 subdomain)",
        "metadata.labels: Invalid value: \"a b\": must consist of letters, digits, '-', '_' or '.', and start and end with a letter or digit, or be empty",
      ],
    ],
    [
      'has annotations of a bounded size',
      { name: 'a', annotations: { big: 'x'.repeat(262_144) } },
      ['metadata.annotations: Too long: must have at most 262144 bytes'],
    ],
    [
      'has finalizers that say whose they are',
      { name: 'a', finalizers: ['mine', 'example.com/mine', 'orphan'] },
      [
        'metadata.finalizers[0]: Invalid value: "mine": name is neither a standard finalizer name nor is it fully qualified',
      ],
    ],
  ])('%s', (_, metadata, expected) => {
    expect(errorsOf(ConfigMap, named(metadata))).toEqual(expected);
  });

  it('has no namespace where the kind has none', () => {
    expect(errorsOf(Namespace, named({ name: 'a', namespace: 'b' }))).toEqual([
      'metadata.namespace: Forbidden: not allowed on this type',
    ]);
  });

  it('keeps what the store wrote when an update leaves it out', () => {
    const previous = stored(ConfigMap, { metadata: { name: 'c' }, data: { k: 'v' } });
    const parsed = parseUpdate(ConfigMap, { metadata: { name: 'c' } }, { previous });
    expect('object' in parsed && parsed.object).toEqual({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: previous.metadata,
    });
  });

  it('refuses another uid, name or namespace', () => {
    const previous = stored(ConfigMap, { metadata: { name: 'c' } });
    const next = { metadata: { name: 'd', namespace: 'x', uid: 'y' } };
    expect(updateErrorsOf(ConfigMap, next, previous)).toEqual([
      'metadata.name: Invalid value: "d": field is immutable',
      'metadata.namespace: Invalid value: "x": field is immutable',
      'metadata.uid: Invalid value: "y": field is immutable',
    ]);
  });
});
