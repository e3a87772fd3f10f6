import { stringify } from 'yaml';
import { messages } from '../../api/generated/protobuf-messages.ts';
import { type AnyObject, apiVersionOf, type Kind } from '../../api/kind.ts';
import { isObject } from '../../api/normalize.ts';
import type { Schema, Shape } from '../../api/schema.ts';
import type { Rng } from '../../base/rng.ts';
import { collectionPath, objectPath } from '../../controller/apiserver/resource-path.ts';
import { protobufBody } from './protobuf-object.ts';

/** A request that no client means: mostly right, with something wrong in its address, its words or its body. */
export interface FuzzRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly payload?: string | Buffer;
}

interface Dice {
  /** One in so many. */
  rarely(times: number): boolean;
  pick<T>(from: readonly T[]): T;
  upTo(count: number): number;
}

/** Takes requests about these kinds from the dice; `live` gives what is stored just now. */
export function requestFuzz(
  rng: Rng,
  kinds: readonly Kind[],
  live: (kind: Kind) => readonly AnyObject[],
): () => FuzzRequest {
  const upTo = (count: number) => Math.floor(rng.fraction() * count);
  const dice: Dice = {
    upTo,
    rarely: (times) => upTo(times) === 0,
    pick: (from) => from[upTo(from.length)] as (typeof from)[number],
  };
  return () => {
    const kind = dice.pick(kinds);
    const action = dice.pick(actions);
    return damaged(dice, action(dice, kind, dice.pick(live(kind)) as AnyObject | undefined));
  };
}

type Action = (dice: Dice, kind: Kind, live: AnyObject | undefined) => FuzzRequest;

const list: Action = (dice, kind) => ({
  ...{ method: dice.rarely(40) ? 'DELETE' : 'GET', headers: { accept: dice.pick(accepts) } },
  url: `${collectionOf(dice, kind)}?${listQuery(dice)}`,
});

const read: Action = (dice, kind, live) => ({
  ...{ method: 'GET', headers: { accept: dice.pick(accepts) } },
  url: `${pathOf(dice, kind, live)}${subresourceOf(dice, kind)}?${listQuery(dice)}`,
});

const create: Action = (dice, kind, live) => {
  const model = live === undefined || dice.rarely(2) ? madeOf(dice, kind.schema, 8) : live;
  const object = named(dice, kind, dice.rarely(3) ? mutated(dice, model) : model);
  const url = `${collectionOf(dice, kind)}?${writeQuery(dice)}`;
  const request = { method: 'POST', url } as const;
  return withProtobuf(dice, { kind, object }, request) ?? withBody(dice, object, request);
};

const replace: Action = (dice, kind, live) => {
  const object =
    live === undefined || dice.rarely(4)
      ? named(dice, kind, madeOf(dice, kind.schema, 8))
      : mutated(dice, live);
  const url = `${pathOf(dice, kind, live)}${subresourceOf(dice, kind)}?${writeQuery(dice)}`;
  const request = { method: 'PUT', url } as const;
  return withProtobuf(dice, { kind, object }, request) ?? withBody(dice, object, request);
};

const patch: Action = (dice, kind, live) => {
  const [type, body] = dice.pick(patches)(dice, kind, live);
  const url = `${pathOf(dice, kind, live)}${subresourceOf(dice, kind)}?${writeQuery(dice)}&force=${dice.rarely(2)}`;
  const request = withBody(dice, body, { method: 'PATCH', url });
  const text = type.endsWith('+json') ? JSON.stringify(body) : request.payload;
  const headers = { 'content-type': dice.rarely(50) ? dice.pick(types) : type };
  return { ...request, headers, payload: text ?? 'null' };
};

const remove: Action = (dice, kind, live) => {
  const url = `${pathOf(dice, kind, live)}?${writeQuery(dice)}`;
  const options = {
    gracePeriodSeconds: dice.pick<unknown>([0, 1, -1, '0', null]),
    propagationPolicy: dice.pick<unknown>(['Background', 'Foreground', 'Orphan', 'x', null]),
    preconditions: dice.rarely(3) ? dice.pick(noise) : undefined,
    dryRun: dice.rarely(3) ? dice.pick<unknown>([['All'], 'All', [], ['x']]) : undefined,
  };
  return withBody(dice, options, { method: 'DELETE', url });
};

const wander: Action = (dice) => ({
  ...{ method: dice.pick(['GET', 'POST', 'PUT', 'PATCH', 'DELETE']), headers: {} },
  url: `/${Array.from({ length: dice.upTo(9) }, () => dice.pick(segments)).join('/')}`,
});

const actions: readonly Action[] = [
  ...[
    list,
    read,
    create,
    create,
    create,
    replace,
    replace,
    patch,
    patch,
    patch,
    patch,
    remove,
    wander,
  ],
];

const segments = [
  ...[
    'api',
    'v1',
    'apis',
    'apps',
    'namespaces',
    'default',
    'pods',
    'x',
    '..',
    '.',
    '',
    '%2e%2e',
    '%00',
  ],
  ...[
    '%zz',
    '%ff',
    'openapi',
    'v3',
    'v2',
    '*',
    ':name',
    'a'.repeat(300),
    'é',
    'status',
    'constructor',
  ],
  ...[
    '__proto__',
    'nodes',
    'livez',
    'metrics',
    'version',
    'metrics.k8s.io',
    'v1beta1',
    'deployments',
  ],
];
const names = [
  'a',
  'b',
  'c',
  'web',
  'a.b',
  'A',
  '',
  '-',
  'x'.repeat(254),
  'é',
  '..',
  '__proto__',
  'toString',
];
const namespaces = [...Array<string>(20).fill('default'), 'kube-system', 'nowhere', 'A', ''];
const subresources = ['/status', '/scale', '/binding', '/eviction', '/log', '/nothing'];
const types = [
  ...['application/json', 'application/yaml', 'application/merge-patch+json', 'text/plain', ''],
  ...['application/strategic-merge-patch+json', 'application/apply-patch+yaml', 'x', ';;;'],
  ...[
    'application/json-patch+json',
    'application/vnd.kubernetes.protobuf',
    'application/json; charset=x',
  ],
];
const accepts = [
  ...[
    'application/json',
    '*/*',
    '',
    'application/json;as=Table;v=v1;g=meta.k8s.io',
    'text/html',
    ';,;=',
  ],
  ...['application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io', 'application/json;as=x'],
];
export const noise: readonly unknown[] = [
  ...[
    null,
    '',
    'x',
    0,
    -1,
    1.5,
    1e308,
    2 ** 53,
    true,
    [],
    {},
    [null],
    [[]],
    { a: null },
    '1Gi',
    '%',
    '\0',
  ],
  ...[
    '😀',
    'x'.repeat(5000),
    '2026-01-01T00:00:00Z',
    { constructor: 1 },
    '10.96.0.1',
    '-0',
    '999999999999999999999',
  ],
];
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
  'app',
  'n1',
];

function subresourceOf(dice: Dice, { subresources: own }: Kind): string {
  if (!dice.rarely(5)) return '';
  return own.length === 0 || dice.rarely(6) ? dice.pick(subresources) : `/${dice.pick(own)}`;
}

const collectionOf = (dice: Dice, kind: Kind): string =>
  collectionPath(kind, () => encodeURIComponent(dice.pick(namespaces)));

function pathOf(dice: Dice, kind: Kind, live: AnyObject | undefined): string {
  const isLive = live !== undefined && !dice.rarely(8);
  return objectPath(kind, (part) => {
    if (part === 'namespace')
      return isLive ? (live.metadata.namespace ?? '') : dice.pick(namespaces);
    return encodeURIComponent(isLive ? live.metadata.name : dice.pick(names));
  });
}

function listQuery(dice: Dice): string {
  const query = new URLSearchParams();
  const say = (name: string, from: readonly string[]) => {
    if (dice.rarely(12)) query.append(name, dice.pick(from));
  };
  say('labelSelector', [
    'app',
    '!app',
    'app=web',
    'a in (b,c)',
    'a notin (',
    ',',
    '=',
    'a>1',
    'a==b,c!=d',
    '(',
    'é',
    '\0',
  ]);
  say('fieldSelector', [
    'metadata.name=a',
    'status.phase!=x',
    'spec.nodeName=',
    'x=y',
    '=',
    ',',
    'metadata.name',
    '__proto__=a',
  ]);
  say('limit', ['1', '0', '-1', 'x', '9999999999999999', '1e3']);
  say('continue', [
    '',
    'x',
    Buffer.from('[1,"a","b"]').toString('base64url'),
    Buffer.from('[99999,"",""]').toString('base64url'),
  ]);
  say('resourceVersion', ['0', '1', '-1', 'x', '']);
  say('resourceVersionMatch', ['Exact', 'NotOlderThan', 'x']);
  say('includeObject', ['None', 'Metadata', 'Object', 'x']);
  return query.toString();
}

function writeQuery(dice: Dice): string {
  const query = new URLSearchParams();
  const say = (name: string, from: readonly string[]) => {
    if (dice.rarely(12)) query.append(name, dice.pick(from));
  };
  say('dryRun', ['All', '', 'x']);
  say('fieldValidation', ['Strict', 'Warn', 'Ignore', 'x']);
  say('fieldManager', ['alice', 'bob', '', 'x'.repeat(200), '\0']);
  say('propagationPolicy', ['Background', 'Orphan', 'x']);
  return query.toString();
}

type PatchOf = (dice: Dice, kind: Kind, live: AnyObject | undefined) => readonly [string, unknown];

const patches: readonly PatchOf[] = [
  (dice, kind, live) => ['application/merge-patch+json', partOf(dice, kind, live)],
  (dice, kind, live) => [
    'application/strategic-merge-patch+json',
    directed(dice, partOf(dice, kind, live)),
  ],
  (dice, _, live) => ['application/json-patch+json', operations(dice, live)],
  (dice, kind, live) => [
    'application/apply-patch+yaml',
    dice.rarely(3) && live !== undefined
      ? mutated(dice, live)
      : named(dice, kind, madeOf(dice, kind.schema, 8), live?.metadata.name),
  ],
];

function partOf(dice: Dice, kind: Kind, live: AnyObject | undefined): unknown {
  if (live !== undefined && dice.rarely(2)) return mutated(dice, live);
  const value = madeOf(dice, kind.schema, 8);
  if (!isObject(value)) return value;
  const { apiVersion: _a, kind: _k, metadata: _m, ...rest } = value;
  return dice.rarely(4) ? { ...rest, metadata: dice.pick(noise) } : rest;
}

/** Strategic merge's directives, here and there. */
function directed(dice: Dice, value: unknown): unknown {
  if (Array.isArray(value)) {
    const items = value.map((item: unknown) => directed(dice, item));
    return dice.rarely(6)
      ? [...items, { $patch: dice.pick(['replace', 'delete', 'x', 1]) }]
      : items;
  }
  if (!isObject(value)) return value;
  const entries = Object.entries(value).flatMap(([key, inner]): [string, unknown][] => {
    const own: [string, unknown] = [key, dice.rarely(12) ? null : directed(dice, inner)];
    if (!dice.rarely(8)) return [own];
    const directive = dice.pick(['$setElementOrder/', '$deleteFromPrimitiveList/', '$retainKeys/']);
    return [own, [`${directive}${key}`, dice.rarely(3) ? dice.pick(noise) : inner]];
  });
  if (dice.rarely(12))
    entries.push(['$patch', dice.pick(['replace', 'delete', 'merge', 'x', null])]);
  if (dice.rarely(12))
    entries.push(['$retainKeys', dice.pick<unknown>([[], Object.keys(value), 'x', [1]])]);
  return Object.fromEntries(entries);
}

function operations(dice: Dice, live: AnyObject | undefined): unknown {
  if (dice.rarely(30)) return dice.pick(noise);
  return Array.from({ length: 1 + dice.upTo(4) }, () => ({
    op: dice.pick(['add', 'remove', 'replace', 'move', 'copy', 'test', 'x']),
    path: pointerInto(dice, live),
    ...(dice.rarely(2) && { from: pointerInto(dice, live) }),
    ...(!dice.rarely(6) && { value: dice.pick(noise) }),
  }));
}

function pointerInto(dice: Dice, value: unknown): unknown {
  if (dice.rarely(20))
    return dice.pick<unknown>([
      '',
      '/',
      'x',
      '/~',
      '/~2',
      '/__proto__/x',
      '/-',
      1,
      '/constructor/prototype',
    ]);
  let pointer = '';
  for (let at: unknown = value; typeof at === 'object' && at !== null; ) {
    const keys = Object.keys(at);
    const key = dice.rarely(10)
      ? dice.pick(['-', '0', '99', '-1', 'x', '__proto__', 'length'])
      : dice.pick(keys);
    if (key === undefined || dice.rarely(6)) break;
    pointer += `/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`;
    at = (at as Readonly<Record<string, unknown>>)[key];
  }
  return pointer;
}

/** With one or a few of its parts exchanged, gone or doubled. */
function mutated(dice: Dice, value: unknown): unknown {
  if (dice.rarely(12)) return dice.pick(noise);
  if (Array.isArray(value)) {
    if (dice.rarely(6)) return [...value, ...value];
    const place = dice.upTo(value.length);
    return value.map((item: unknown, index) => (index === place ? mutated(dice, item) : item));
  }
  if (!isObject(value)) return dice.rarely(2) ? dice.pick(noise) : value;
  const key = dice.pick(Object.keys(value));
  if (key === undefined) return { x: dice.pick(noise) };
  if (dice.rarely(8)) return { ...value, [dice.pick(['x', 'constructor', key])]: dice.pick(noise) };
  const { [key]: inner, ...rest } = value;
  return dice.rarely(6) ? rest : { ...value, [key]: mutated(dice, inner) };
}

/** With a kind and mostly with a name that fits. */
function named(
  dice: Dice,
  kind: Kind,
  value: unknown,
  name = dice.rarely(20) ? dice.pick(names) : `n${dice.upTo(30)}`,
): unknown {
  if (!isObject(value) || dice.rarely(30)) return value;
  const metadata = isObject(value.metadata) && dice.rarely(2) ? value.metadata : {};
  const { namespace: _, ...rest } = metadata;
  const head = dice.rarely(2) ? { apiVersion: apiVersionOf(kind), kind: kind.kind } : {};
  const { apiVersion: _a, kind: _k, ...fields } = value;
  return { ...head, ...fields, metadata: { ...rest, name } };
}

/** Mostly what fits the schema, and now and then what doesn't. */
function madeOf(dice: Dice, schema: Schema, depth: number): unknown {
  if (depth === 0 || dice.rarely(400)) return dice.pick(noise);
  return fitting(dice, schema.shape, depth);
}

function fitting(dice: Dice, shape: Shape, depth: number): unknown {
  const below = (inner: Schema) => madeOf(dice, inner, depth - 1);
  switch (shape.kind) {
    case 'object': {
      const fields = Object.entries(shape.fields).filter(
        ([, { presence }]) =>
          presence === 'required' || dice.rarely(presence === 'unsupported' ? 1000 : 5),
      );
      return Object.fromEntries(fields.map(([name, field]) => [name, below(field)]));
    }
    case 'list':
      return Array.from({ length: dice.upTo(3) }, () => below(shape.item));
    case 'map':
      return Object.fromEntries(
        Array.from({ length: dice.upTo(3) }, () => [
          dice.pick(['app', 'cpu', 'memory', 'a.b/c', 'pods']),
          below(shape.value),
        ]),
      );
    case 'string':
      return dice.pick(shape.values ?? words.filter((word) => !shape.check?.(word)));
    case 'integer':
      return dice.pick(
        [0, 1, 80, shape.min, 2 ** 31 - 1].filter((n) => n >= shape.min && n <= shape.max),
      );
    case 'number':
      return dice.pick([0, 0.5, -1, 1e21]);
    case 'boolean':
      return dice.rarely(2);
    case 'quantity':
      return dice.pick(['1', '100m', '512Mi', '1Gi', '0', '-1', '1e3', '9E', '0.000000001', 5]);
    case 'int-or-string':
      return dice.pick([1, '25%', '0%', 'http', 0, -1, 80]);
    case 'time':
      return dice.pick([
        '2026-01-01T00:00:00Z',
        '2026-01-01T00:00:00.123456Z',
        '9999-12-31T23:59:59+14:00',
      ]);
    case 'bytes':
      return dice.pick(['eA==', '', '////']);
    case 'unsupported':
      return dice.pick([...shape.harmless, ...(dice.rarely(2) ? noise : [null])]);
    case 'json':
      return dice.pick(noise);
  }
}

function withBody(
  dice: Dice,
  body: unknown,
  request: Pick<FuzzRequest, 'method' | 'url'>,
): FuzzRequest {
  const asYaml = dice.rarely(5);
  const type = asYaml
    ? 'application/yaml'
    : dice.rarely(60)
      ? dice.pick(types)
      : 'application/json';
  const text = asYaml ? stringify(body) : JSON.stringify(body);
  const accept = dice.rarely(10) ? dice.pick(accepts) : '';
  return { ...request, headers: { 'content-type': type, accept }, payload: text ?? 'null' };
}

/** Now and then in Protobuf, if the object can be said in it: it may have a list for a map, or a text for a message. */
function withProtobuf(
  dice: Dice,
  { kind, object }: { readonly kind: Kind; readonly object: unknown },
  request: Pick<FuzzRequest, 'method' | 'url'>,
): FuzzRequest | undefined {
  const message = `${kind.group.split('.')[0] || 'core'}.${kind.version}.${kind.kind}`;
  if (!dice.rarely(5) || !(message in messages) || !isObject(object)) return undefined;
  const type = { apiVersion: apiVersionOf(kind), kind: kind.kind };
  const headers = { 'content-type': 'application/vnd.kubernetes.protobuf' };
  try {
    return { ...request, headers, payload: protobufBody(type, message, object) };
  } catch {
    return undefined;
  }
}

/** Now and then some bytes of the body are others, gone, or there twice. */
function damaged(dice: Dice, request: FuzzRequest): FuzzRequest {
  if (request.payload === undefined || !dice.rarely(20)) return request;
  let bytes = Buffer.from(request.payload);
  for (let times = 1 + dice.upTo(3); times > 0 && bytes.length > 0; times--) {
    const at = dice.upTo(bytes.length);
    const length = dice.upTo(20);
    const kinds = [
      () => Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + length)]),
      () => Buffer.concat([bytes.subarray(0, at + length), bytes.subarray(at)]),
      () =>
        Buffer.concat([
          bytes.subarray(0, at),
          Buffer.from([dice.upTo(256)]),
          bytes.subarray(at + 1),
        ]),
      () =>
        Buffer.concat([
          bytes.subarray(0, at),
          Buffer.from(
            dice.pick(['{', '[', '"', ':', '&a ', '*a', '!!', '\n', '<<: ', '{'.repeat(600)]),
          ),
          bytes.subarray(at),
        ]),
    ];
    bytes = Buffer.from(dice.pick(kinds)());
  }
  return { ...request, payload: bytes };
}
