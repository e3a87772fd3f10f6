import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { kinds } from '../../../../api/kinds.ts';
import { parseObject } from '../../../../api/prepare.ts';
import { hasReason } from '../../../../api/status.ts';
import { parseBody } from '../../../../controller/apiserver/parse-body.ts';
import { encodeMessage, protobufBody, type Values } from '../../../support/protobuf-object.ts';

interface Recorded {
  readonly command: string;
  /** What kubectl 1.33 sends, in base64. */
  readonly protobuf: string;
  /** What kubectl 1.31 sends. */
  readonly json: unknown;
}

const recorded: readonly Recorded[] = JSON.parse(
  readFileSync(`${import.meta.dirname}/recorded-protobuf.json`, 'utf8'),
);

function parse(body: Buffer, query = '') {
  const warnings: string[] = [];
  const call = { body, contentType: 'application/vnd.kubernetes.protobuf' };
  const value = parseBody({
    ...{ ...call, query: new URLSearchParams(query) },
    warn: (warning) => warnings.push(warning),
  });
  return { value, warnings };
}

const pod = { apiVersion: 'v1', kind: 'Pod' };
const podOf = (values: Values) => protobufBody(pod, 'core.v1.Pod', values);
const read = (values: Values) => parse(podOf(values)).value;

/** null says the same as nothing. */
const withoutNulls = (value: unknown): unknown =>
  JSON.parse(JSON.stringify(value, (_, inner) => inner ?? undefined));

describe('a body in Protobuf', () => {
  it.each(recorded)('of `kubectl $command` says what the one in JSON said', (one) => {
    const { value } = parse(Buffer.from(one.protobuf, 'base64'));
    expect(withoutNulls(value)).toEqual(withoutNulls(one.json));
  });

  it('leaves out the zero values that Go leaves out, and keeps those that say something', () => {
    const probe = { timeoutSeconds: 0, terminationGracePeriodSeconds: 0 };
    const port = { name: '', hostPort: 0, containerPort: 0 };
    const containers = [{ name: '', image: '', tty: false, ports: [port], livenessProbe: probe }];
    const spec = { hostNetwork: false, automountServiceAccountToken: false, containers };
    expect(read({ spec, status: {} })).toEqual({
      ...{ ...pod, status: {} },
      spec: {
        automountServiceAccountToken: false,
        containers: [
          {
            name: '',
            ports: [{ containerPort: 0 }],
            livenessProbe: { terminationGracePeriodSeconds: 0 },
          },
        ],
      },
    });
  });

  it('has what Go writes in a way of its own: times, quantities, numbers or names, JSON', () => {
    const containers = [
      {
        name: 'c',
        livenessProbe: { httpGet: { port: { type: 1, intVal: 0, strVal: 'http' } } },
        readinessProbe: { tcpSocket: { port: { type: 0, intVal: 80, strVal: '' } } },
        resources: { limits: { cpu: { string: '100m' } } },
      },
    ];
    const fieldsV1 = { Raw: Buffer.from('{"f:a":{}}').toString('base64') };
    const metadata = {
      labels: { ['__proto__']: 'x', empty: '' },
      generation: -1,
      creationTimestamp: {},
      deletionTimestamp: { seconds: 1_700_000_000, nanos: 999 },
      managedFields: [{ manager: 'm', fieldsV1 }],
    };
    const securityContext = { supplementalGroups: [1, 2 ** 40] };
    const value = read({ metadata, spec: { securityContext, containers } });
    expect(JSON.parse(JSON.stringify(value))).toEqual({
      ...pod,
      metadata: {
        labels: JSON.parse('{"__proto__":"x","empty":""}'),
        generation: -1,
        creationTimestamp: null,
        deletionTimestamp: '2023-11-14T22:13:20Z',
        managedFields: [{ manager: 'm', fieldsV1: { 'f:a': {} } }],
      },
      spec: {
        securityContext: { supplementalGroups: [1, 2 ** 40] },
        containers: [
          {
            name: 'c',
            livenessProbe: { httpGet: { port: 'http' } },
            readinessProbe: { tcpSocket: { port: 80 } },
            resources: { limits: { cpu: '100m' } },
          },
        ],
      },
    });
  });

  it('may give numbers one by one or packed, and times to the microsecond', () => {
    const packed = Buffer.from([0x22, 3, 1, 2, 3]);
    const spec = Buffer.concat([Buffer.from([0x72, packed.length]), packed]);
    const body = protobufBody(pod, '', Buffer.concat([Buffer.from([0x12, spec.length]), spec]));
    expect(parse(body).value).toMatchObject({
      spec: { securityContext: { supplementalGroups: [1, 2, 3] } },
    });
    const lease = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease' };
    const renewTime = { seconds: 1_700_000_000, nanos: 1_234_999 };
    const leased = protobufBody(lease, 'coordination.v1.Lease', { spec: { renewTime } });
    expect(parse(leased).value).toMatchObject({
      spec: { renewTime: '2023-11-14T22:13:20.001234Z' },
    });
  });

  it('may hold the options of a deletion, in whichever group', () => {
    const type = { apiVersion: 'apps/v1', kind: 'DeleteOptions' };
    const values = { gracePeriodSeconds: 0, preconditions: { uid: 'u' }, dryRun: ['All'] };
    expect(parse(protobufBody(type, 'meta.v1.DeleteOptions', values)).value).toEqual({
      ...{ ...type, ...values },
    });
  });

  it('holds a CustomResourceDefinition’s schema', () => {
    const type = { apiVersion: 'apiextensions.k8s.io/v1', kind: 'CustomResourceDefinition' };
    const string = { type: 'string', maximum: 1.5 };
    const openAPIV3Schema = {
      default: { raw: Buffer.from('{"a":[1]}').toString('base64') },
      items: { schema: string },
      additionalProperties: { allows: false },
      properties: { a: { additionalProperties: { allows: true, schema: string } } },
      'x-kubernetes-preserve-unknown-fields': true,
    };
    const spec = { versions: [{ name: 'v1', schema: { openAPIV3Schema } }] };
    const body = protobufBody(type, 'apiextensions.v1.CustomResourceDefinition', { spec });
    expect(parse(body).value).toMatchObject({
      spec: {
        versions: [
          {
            schema: {
              openAPIV3Schema: {
                default: { a: [1] },
                items: string,
                additionalProperties: false,
                properties: { a: { additionalProperties: string } },
                'x-kubernetes-preserve-unknown-fields': true,
              },
            },
          },
        ],
      },
    });
  });

  it('tells an unknown field, which would be lost, as strictly as it is asked to', () => {
    // Field 99 of the spec: a varint.
    const body = protobufBody(pod, '', Buffer.from([0x12, 3, 0x98, 6, 1]));
    const what = 'unknown field 99 of core.v1.PodSpec in the Protobuf body';
    expect(() => parse(body)).toThrow(what);
    expect(parse(body, 'fieldValidation=Warn').warnings).toEqual([what]);
    expect(parse(body, 'fieldValidation=Ignore')).toEqual({
      ...{ value: { ...pod, spec: {} }, warnings: [] },
    });
  });

  it.each([
    ['the wrong first bytes', Buffer.from('{"a":1}'), /the first bytes are wrong/],
    ['nothing', Buffer.alloc(0), /the first bytes are wrong/],
    ['half of it', podOf({ metadata: { name: 'web' } }).subarray(0, -3), /premature EOF/],
    [
      'a field twice',
      protobufBody(pod, '', Buffer.from([0x12, 0, 0x12, 0])),
      /spec is given twice/,
    ],
    ['a number for a message', protobufBody(pod, '', Buffer.from([0x10, 0])), /spec has the wrong/],
    [
      'text that is not UTF-8',
      protobufBody(pod, '', Buffer.from([0x0a, 3, 0x0a, 1, 0xff])),
      /not valid for encoding utf-8/,
    ],
  ])('with %s is a bad request', (_, body, why) => {
    expect(() => parse(body)).toThrow(expect.objectContaining({ reason: 'BadRequest' }));
    expect(() => parse(body)).toThrow(why);
  });

  it.each([
    ['v1', 'PodSpec.x'],
    ['example.org/v1', 'Pod'],
    ['', ''],
  ])('of %s %s is an unsupported media type', (apiVersion, kind) => {
    const body = protobufBody({ apiVersion, kind }, '', Buffer.alloc(0));
    expect(() => parse(body)).toThrow(expect.objectContaining({ reason: 'UnsupportedMediaType' }));
  });

  it('is not nested without end, neither itself nor the JSON in it', () => {
    const type = { apiVersion: 'apiextensions.k8s.io/v1', kind: 'CustomResourceDefinition' };
    let schema: Values = {};
    for (let depth = 0; depth < 200; depth++) schema = { not: schema };
    const spec = { versions: [{ schema: { openAPIV3Schema: schema } }] };
    const body = protobufBody(type, 'apiextensions.v1.CustomResourceDefinition', { spec });
    expect(() => parse(body)).toThrow(/nested deeper than 100/);
    const raw = Buffer.from('['.repeat(100_000) + ']'.repeat(100_000)).toString('base64');
    const managedFields = [{ fieldsV1: { Raw: raw } }];
    expect(() => read({ metadata: { managedFields } })).toThrow(/nested deeper than 500/);
  });

  it('damaged in whatever way is read or refused, never an internal error', {
    timeout: 20_000,
  }, () => {
    const whole = [
      ...recorded.map(({ protobuf }) => Buffer.from(protobuf, 'base64')),
      manyFields(),
    ];
    const damage = fc.record({
      at: fc.nat(),
      removed: fc.nat(4),
      added: fc.uint8Array({ maxLength: 4 }),
      isCut: fc.boolean(),
    });
    fc.assert(
      fc.property(
        fc.constantFrom(...whole),
        fc.array(damage, { maxLength: 4 }),
        (body, damages) => {
          const damaged = damages.reduce((bytes, { at, removed, added, isCut }) => {
            const start = at % (bytes.length + 1);
            const rest = isCut ? Buffer.alloc(0) : bytes.subarray(start + removed);
            return Buffer.concat([bytes.subarray(0, start), added, rest]);
          }, body);
          expect(outcomeOf(damaged)).toBe('fine');
        },
      ),
      { numRuns: 10_000 },
    );
  });
});

function outcomeOf(body: Buffer): unknown {
  try {
    const { value } = parse(body, 'fieldValidation=Warn');
    for (const kind of kinds) parseObject(kind, value, { namespace: 'default' });
    return 'fine';
  } catch (error) {
    const isRefused = hasReason(error, 'BadRequest', 'UnsupportedMediaType');
    return isRefused && !/Cannot |is not a|stack/.test(error.message) ? 'fine' : error;
  }
}

/** A pod with something of each type. */
function manyFields(): Buffer {
  const raw = Buffer.from('{"f:a":{}}').toString('base64');
  const quantity = { string: '1Gi' };
  const resources = { limits: { cpu: { string: '1' }, memory: quantity } };
  const port = { type: 1, intVal: 0, strVal: 'http' };
  const probe = { httpGet: { path: '/', port }, periodSeconds: 3 };
  const volumes = [{ name: 'v', emptyDir: { sizeLimit: quantity } }];
  const containers = [{ name: 'c', image: 'i', livenessProbe: probe, resources }];
  const securityContext = { supplementalGroups: [1, 2], runAsUser: 0, runAsNonRoot: false };
  const managedFields = [{ manager: 'm', time: { seconds: 1 }, fieldsV1: { Raw: raw } }];
  const metadata = { name: 'p', labels: { a: 'b' }, managedFields };
  const spec = { volumes, containers, securityContext, nodeSelector: { a: 'b' } };
  expect(encodeMessage('core.v1.PodSpec', spec).length).toBeGreaterThan(50);
  return podOf({ metadata, spec });
}
