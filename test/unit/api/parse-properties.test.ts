import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fieldErrorReasons } from '../../../api/field-error.ts';
import { kinds } from '../../../api/kinds.ts';
import { parseObject } from '../../../api/prepare.ts';
import type { Fields, Schema } from '../../../api/schema.ts';

type Below = (inner: Schema) => fc.Arbitrary<unknown>;

/** Mostly what fits the schema, and now and then what doesn't. */
function noisyValue(schema: Schema, depth: number): fc.Arbitrary<unknown> {
  const below: Below = (inner) => noisyValue(inner, depth - 1);
  const fitting = depth === 0 ? noise : fittingValue(schema, below);
  return fc.oneof({ weight: 60, arbitrary: fitting }, { weight: 1, arbitrary: noise });
}

/** Only what has the right shape, so that the rules behind it are reached. */
const shapelyValue: Below = (schema) => fittingValue(schema, shapelyValue);

const noise = fc.constantFrom<unknown>(null, '', 'x', 0, -1, 1.5, true, [], {}, [null], '1Gi');
const words = [
  'web',
  'a-b',
  'A_B',
  '10.0.0.1',
  '/a',
  '../b',
  'x y',
  '-',
  'a.b/c',
  'None',
  '.spec.a',
];

const aSchema = {
  type: 'object',
  properties: { spec: { type: 'array', items: { type: 'integer', maximum: 3 } } },
};

function fittingValue({ shape }: Schema, below: Below): fc.Arbitrary<unknown> {
  switch (shape.kind) {
    case 'object':
      return anObject(shape.fields, below);
    case 'list':
      return fc.array(below(shape.item), { maxLength: shape.merge.as === 'atomic' ? 2 : 1 });
    case 'map':
      return fc.dictionary(fc.constantFrom('cpu', 'memory', 'app'), below(shape.value));
    case 'string':
      return fc.constantFrom(...(shape.values ?? words.filter((word) => !shape.check?.(word))));
    case 'integer':
      return fc.constantFrom(...[shape.min, 0, 1, 80].filter((n) => n >= shape.min));
    case 'boolean':
      return fc.boolean();
    case 'quantity':
      return fc.constantFrom('1', '100m', '512m', '1Gi', '-1', '0');
    case 'int-or-string':
      return fc.constantFrom(1, '25%', '0%', 'http', 0, -1);
    case 'time':
      return fc.constant('2026-01-01T00:00:00Z');
    case 'bytes':
      return fc.constantFrom('eA==', '');
    case 'json':
      return fc.constantFrom<unknown>({ type: 'object' }, aSchema);
    case 'unsupported':
      return fc.constantFrom(...shape.harmless);
    default:
      return noise;
  }
}

function anObject(fields: Fields, below: Below): fc.Arbitrary<unknown> {
  const supported = Object.entries(fields).filter(([, field]) => field.presence !== 'unsupported');
  const required = supported.filter(([, field]) => field.presence === 'required');
  return fc.record(Object.fromEntries(supported.map(([name, field]) => [name, below(field)])), {
    requiredKeys: required.map(([name]) => name),
  });
}

describe.each(kinds.map((kind) => [kind.kind, kind] as const))(
  'whatever comes as a %s',
  (_, kind) => {
    const namespace = kind.namespaced ? { namespace: 'default' } : {};

    it('is read or refused by field, never thrown at the caller, and left as it was', () => {
      fc.assert(
        fc.property(fc.oneof(noisyValue(kind.schema, 10), fc.jsonValue()), (json) => {
          const before = JSON.stringify(json);
          const parsed = parseObject(kind, json, namespace);
          if ('errors' in parsed) expect(parsed.errors.length).toBeGreaterThan(0);
          expect(JSON.stringify(json)).toBe(before);
        }),
        { numRuns: 30 },
      );
    });

    it('in the right shape meets rules that can judge it, and reads the same again', () => {
      const {
        apiVersion: _v,
        kind: _k,
        metadata: _m,
        ...fields
      } = kind.schema.shape.kind === 'object' ? kind.schema.shape.fields : {};
      fc.assert(
        fc.property(anObject(fields, shapelyValue), (body) => {
          const parsed = parseObject(
            kind,
            { ...(body as object), metadata: { name: 'web' } },
            namespace,
          );
          if ('object' in parsed) expect(parseObject(kind, parsed.object)).toEqual(parsed);
          else for (const { reason } of parsed.errors) expect(ofRules).toContain(reason);
        }),
        { numRuns: 60 },
      );
    });
  },
);

/** Nothing about the shape: that was right. */
const ofRules = fieldErrorReasons.filter(
  (reason) => reason !== 'FieldUnknown' && reason !== 'FieldValueTypeInvalid',
);

/** Manifests of each kind that are right: reading what was read changes nothing. */
const template = {
  metadata: { labels: { app: 'web' } },
  spec: { containers: [{ name: 'web', image: 'a', resources: { limits: { cpu: '0.1' } } }] },
};
const selector = { matchLabels: { app: 'web' } };
const samples: Readonly<Record<string, object>> = {
  Namespace: {},
  Node: {
    spec: { taints: [{ key: 'a', effect: 'NoSchedule' }] },
    status: { capacity: { cpu: 2 } },
  },
  Pod: { spec: { ...template.spec, volumes: [{ name: 'v' }] } },
  ReplicaSet: { spec: { selector, template } },
  Deployment: { spec: { selector, template } },
  Service: { spec: { selector: { app: 'web' }, ports: [{ port: 80 }], clusterIP: '10.96.0.9' } },
  EndpointSlice: { addressType: 'IPv4', endpoints: [{ addresses: ['10.0.0.1'] }] },
  ConfigMap: { data: { a: 'b' } },
  Secret: { stringData: { a: 'b' } },
  Event: { involvedObject: { kind: 'Pod', namespace: 'default', name: 'web' } },
  RoleBinding: {
    roleRef: { kind: 'Role', name: 'reader' },
    subjects: [{ kind: 'ServiceAccount', namespace: 'default', name: 'ci' }],
  },
  ClusterRoleBinding: {
    roleRef: { kind: 'ClusterRole', name: 'reader' },
    subjects: [{ kind: 'Group', name: 'staff' }],
  },
  RuntimeClass: { handler: 'runc' },
  CustomResourceDefinition: {
    metadata: { name: 'webs.example.com' },
    spec: {
      group: 'example.com',
      names: { plural: 'webs', kind: 'Web' },
      scope: 'Cluster',
      versions: [
        {
          ...{ name: 'v1', served: true, storage: true },
          schema: { openAPIV3Schema: { type: 'object' } },
        },
      ],
    },
  },
  Lease: { spec: { holderIdentity: 'a', renewTime: '2026-01-01T00:00:00.123456Z' } },
};

it.each(kinds.map((kind) => [kind.kind, kind] as const))(
  'a %s that was read is read again as it is',
  (name, kind) => {
    const once = parseObject(
      kind,
      { metadata: { name: 'web' }, ...samples[name] },
      {
        ...(kind.namespaced && { namespace: 'default' }),
      },
    );
    if (!('object' in once)) throw new Error(JSON.stringify(once.errors));
    expect(parseObject(kind, once.object)).toEqual(once);
  },
);
