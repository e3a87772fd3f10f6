import type { FastifyInstance, InjectOptions } from 'fastify';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Kind } from '../../../../api/kind.ts';
import { Namespace } from '../../../../api/namespace.ts';
import { Node } from '../../../../api/node.ts';
import { Pod } from '../../../../api/pod.ts';
import { parseObject } from '../../../../api/prepare.ts';
import { StatusError } from '../../../../api/status.ts';
import type { User } from '../../../../api/user-info.ts';
import { buildApiServer } from '../../../../controller/apiserver/api-server.ts';
import type { PodLogOptions } from '../../../../controller/pod-access.ts';
import { type ApiWorld, admin, noPodAccess, openApiWorld } from '../../../support/api-server.ts';

let world: ApiWorld;
let app: FastifyInstance;
let user: User | undefined = admin;
const asked: PodLogOptions[] = [];

beforeAll(async () => {
  world = await openApiWorld({
    authenticate: () => user,
    podAccess: {
      ...noPodAccess,
      logs: async ({ nodeName }, options) => {
        asked.push(options);
        if (nodeName === 'away') throw new StatusError('ServiceUnavailable', 'node away is away');
        return text();
      },
    },
  });
  app = buildApiServer(world.deps).app;
  await create(Node, { metadata: { name: 'n1' } });
});

afterAll(async () => {
  await app.close();
  await world.close();
});

async function* text() {
  yield Buffer.from('one\n');
  yield Buffer.from('two\n');
}

async function create(kind: Kind, json: unknown) {
  const parsed = parseObject(kind, json);
  if ('errors' in parsed) throw new Error(JSON.stringify(parsed.errors));
  return world.objects.create(kind, parsed.object);
}

const pod = (name: string, nodeName = 'n1') =>
  create(Pod, {
    metadata: { name, namespace: 'default' },
    spec: { ...(nodeName ? { nodeName } : {}), containers: [{ name: 'web', image: 'web:1' }] },
  });

const pods = '/api/v1/namespaces/default/pods';

async function call(method: NonNullable<InjectOptions['method']>, url: string, body?: unknown) {
  const response = await app.inject({
    method,
    url,
    ...(body === undefined ? {} : { payload: JSON.stringify(body) }),
  });
  const isJson = String(response.headers['content-type']).includes('json');
  return {
    code: response.statusCode,
    body: isJson ? response.json() : response.body,
    headers: response.headers,
  };
}

describe('scale', () => {
  const url = '/apis/apps/v1/namespaces/default/deployments/web';
  const template = {
    metadata: { labels: { app: 'web' } },
    spec: { containers: [{ name: 'web', image: 'web:1' }] },
  };
  const deployment = {
    metadata: { name: 'web' },
    spec: { selector: { matchLabels: { app: 'web' } }, template },
  };

  it('reads and writes replicas as a Scale, without a Content-Type too', async () => {
    await call('POST', url.replace(/\/web$/, ''), deployment);
    const { body } = await call('GET', `${url}/scale`);
    expect(body).toMatchObject({
      apiVersion: 'autoscaling/v1',
      kind: 'Scale',
      metadata: { name: 'web', namespace: 'default' },
      spec: { replicas: 1 },
      status: { replicas: 0, selector: 'app=web' },
    });
    const wanted = { ...body, spec: { replicas: 4 } };
    expect(await call('PUT', `${url}/scale`, wanted)).toMatchObject({
      code: 200,
      body: { spec: { replicas: 4 } },
    });
    expect(await call('PUT', `${url}/scale`, wanted)).toMatchObject({ code: 409 });
    expect((await call('GET', url)).body).toMatchObject({
      metadata: { generation: 2 },
      spec: { replicas: 4 },
    });
  });

  it('keeps status out of main writes and the rest out of status writes', async () => {
    const { body } = await call('GET', url);
    const both = { ...body, spec: { ...body.spec, replicas: 9 }, status: { replicas: 7 } };
    await call('PUT', `${url}/status`, both);
    expect((await call('GET', url)).body).toMatchObject({
      spec: { replicas: 4 },
      status: { replicas: 7 },
    });
    const { resourceVersion: _, ...metadata } = body.metadata;
    await call('PUT', url, { ...both, metadata, status: { replicas: 1 } });
    expect((await call('GET', url)).body).toMatchObject({
      spec: { replicas: 9 },
      status: { replicas: 7 },
    });
  });
});

describe('a pod', () => {
  it('that runs is marked and not removed; without grace it is gone', async () => {
    await pod('graceful');
    expect(await call('DELETE', `${pods}/graceful?gracePeriodSeconds=7`)).toMatchObject({
      code: 200,
      body: { kind: 'Pod', metadata: { deletionGracePeriodSeconds: 7 } },
    });
    const now = { gracePeriodSeconds: 0, propagationPolicy: 'Background' };
    expect(await call('DELETE', `${pods}/graceful`, now)).toMatchObject({
      body: { kind: 'Status', status: 'Success' },
    });
  });

  it('is evicted, but not in a dry run, which is asked for in the body', async () => {
    await pod('evicted');
    const eviction = (deleteOptions: object) => ({ metadata: { name: 'evicted' }, deleteOptions });
    const url = `${pods}/evicted/eviction`;
    expect(await call('POST', url, eviction({ dryRun: ['All'] }))).toMatchObject({ code: 201 });
    expect((await call('GET', `${pods}/evicted`)).body.metadata.deletionTimestamp).toBe(undefined);
    expect(await call('POST', url, eviction({ gracePeriodSeconds: 0 }))).toMatchObject({
      code: 201,
    });
    expect(await call('GET', `${pods}/evicted`)).toMatchObject({ code: 404 });
  });

  it('is bound once, to a node that is there', async () => {
    await pod('unbound', '');
    const url = `${pods}/unbound/binding`;
    const to = (name: string) => ({ target: { kind: 'Node', name } });
    expect(await call('POST', url, to('nowhere'))).toMatchObject({ code: 404 });
    const another = { ...to('n1'), metadata: { uid: 'of a pod before it' } };
    expect(await call('POST', url, another)).toMatchObject({ code: 409 });
    expect(await call('POST', url, to('n1'))).toMatchObject({ code: 201 });
    expect(await call('POST', url, to('n1'))).toMatchObject({ code: 409 });
    expect((await call('GET', `${pods}/unbound`)).body.spec.nodeName).toBe('n1');
  });

  it('gives its log as text, or says why not', async () => {
    await pod('logs');
    await pod('logs-away', 'away');
    await pod('logs-unbound', '');
    const query = 'tailLines=5&timestamps=true&sinceTime=2020-01-01T00:00:00Z';
    expect(await call('GET', `${pods}/logs/log?${query}`)).toMatchObject({
      code: 200,
      body: 'one\ntwo\n',
    });
    expect(asked.at(-1)).toEqual({
      container: 'web',
      follow: false,
      previous: false,
      timestamps: true,
      tailLines: 5,
      sinceMs: Date.UTC(2020, 0, 1),
      limitBytes: undefined,
    });
    const refused = [
      ['nothing/log', 404, 'pods "nothing" not found'],
      [
        'logs/log?container=db',
        400,
        'container db is not valid for pod logs, choose one of: [web]',
      ],
      ['logs/log?tailLines=-1', 400, 'tailLines must be a number, not "-1"'],
      ['logs/log?limitBytes=0', 400, expect.stringContaining('limitBytes: Invalid value: 0')],
      ['logs/log?sinceSeconds=0', 400, expect.stringContaining('sinceSeconds: Invalid value: 0')],
      ['logs/log?sinceTime=noon', 400, expect.stringContaining('sinceTime: ')],
      [
        'logs/log?sinceSeconds=1&sinceTime=2020-01-01T00:00:00Z',
        400,
        'at most one of `sinceTime` or `sinceSeconds` may be specified',
      ],
      ['logs/log?stream=Stdout', 400, 'stream: "Stdout" is not supported by orc yet'],
      ['logs-unbound/log', 400, 'pod logs-unbound does not have a host assigned'],
      ['logs-away/log', 503, 'node away is away'],
      ['logs/exec?command=ls&stdout=1', 400, 'Upgrade request required: WebSocket or SPDY/3.1'],
    ] as const;
    for (const [path, code, message] of refused)
      expect(await call('GET', `${pods}/${path}`)).toMatchObject({ code, body: { message } });
  });
});

describe('a Service', () => {
  const services = '/api/v1/namespaces/default/services';
  const service = (name: string, spec: object = {}) => ({
    metadata: { name },
    spec: { ports: [{ port: 80 }], ...spec },
  });

  it('gets an address of the range, unless it is headless or chose one', async () => {
    const { body } = await call('POST', services, service('any'));
    expect(body.spec.clusterIP).toMatch(/^10\.96\.\d+\.\d+$/);
    expect(body.spec.clusterIPs).toEqual([body.spec.clusterIP]);
    const headless = await call('POST', services, service('headless', { clusterIP: 'None' }));
    expect(headless.body.spec.clusterIP).toBe('None');
    const chosen = await call('POST', services, service('chosen', { clusterIP: '10.96.0.10' }));
    expect(chosen).toMatchObject({ code: 201, body: { spec: { clusterIP: '10.96.0.10' } } });
  });

  it('is refused an address that is taken or out of range', async () => {
    const taken = await call('POST', services, service('taken', { clusterIP: '10.96.0.10' }));
    expect(taken).toMatchObject({
      code: 422,
      body: { message: expect.stringContaining('provided IP is already allocated') },
    });
    const outside = await call('POST', services, service('outside', { clusterIP: '10.97.0.1' }));
    expect(outside).toMatchObject({
      code: 422,
      body: { details: { causes: [{ field: 'spec.clusterIPs[0]' }] } },
    });
  });

  const nodePort = (name: string, ...ports: object[]) => service(name, { type: 'NodePort', ports });
  const portsOf = ({ body }: { body: { spec: { ports: { nodePort?: number }[] } } }) =>
    body.spec.ports.map((port) => port.nodePort);

  it('of type NodePort gets node ports, keeps them, and gives them back', async () => {
    const tcp = { name: 'tcp', port: 53 };
    const udp = { name: 'udp', port: 53, protocol: 'UDP' };
    const wanted = nodePort('open', tcp, udp, { name: 'other', port: 80, nodePort: 30_080 });
    const [first, second, third] = portsOf(await call('POST', services, wanted));
    expect(first).toBeGreaterThanOrEqual(30_000);
    expect(first).toBeLessThanOrEqual(32_767);
    expect([second, third]).toEqual([first, 30_080]);
    const again = nodePort('open', tcp, udp, { name: 'other', port: 80 });
    expect(portsOf(await call('PUT', `${services}/open`, again))).toEqual([first, first, 30_080]);
    const taken = await call('POST', services, nodePort('late', { port: 1, nodePort: 30_080 }));
    expect(taken).toMatchObject({
      code: 422,
      body: {
        message: expect.stringContaining(
          'spec.ports[0].nodePort: Invalid value: 30080: provided port is already allocated',
        ),
      },
    });
    const inside = { ...again, spec: { ports: again.spec.ports } };
    const closed = await call('PUT', `${services}/open`, inside);
    expect(portsOf(closed)).toEqual([undefined, undefined, undefined]);
    const late = await call('POST', services, nodePort('late', { port: 1, nodePort: 30_080 }));
    expect(late.code).toBe(201);
  });

  it('gets what it lacks when it becomes a NodePort, or ceases to be a mere name', async () => {
    const name = service('changes', { type: 'ExternalName', externalName: 'example.org' });
    await call('POST', services, name);
    const { body } = await call('PUT', `${services}/changes`, nodePort('changes', { port: 80 }));
    expect(body.spec.clusterIP).toMatch(/^10\.96\.\d+\.\d+$/);
    expect(body.spec.ports[0].nodePort).toBeGreaterThanOrEqual(30_000);
    const dry = await call('POST', `${services}?dryRun=All`, nodePort('dry', { port: 80 }));
    expect(dry.body.spec.ports[0].nodePort).toBeGreaterThanOrEqual(30_000);
  });

  it('is refused a node port out of range', async () => {
    const low = nodePort('low', { port: 80, nodePort: 80 });
    for (const path of [services, `${services}?dryRun=All`])
      expect(await call('POST', path, low)).toMatchObject({
        code: 422,
        body: {
          message: expect.stringContaining(
            'Invalid value: 80: provided port is not in the valid range. The range of valid ports is 30000-32767',
          ),
        },
      });
  });
});

describe('requests', () => {
  const maps = '/api/v1/namespaces/default/configmaps';

  it('warn of unknown fields instead of refusing them when asked to', async () => {
    const body = { metadata: { name: 'warned' }, dta: {} };
    const answer = await call('POST', `${maps}?fieldValidation=Warn`, body);
    expect(answer.code).toBe(201);
    expect(answer.body.dta).toBe(undefined);
    expect(String(answer.headers.warning)).toMatch(/^299 - "dta: .+"$/);
    const slips = Object.fromEntries(Array.from({ length: 5000 }, (_, i) => [`slip${i}`, 1]));
    const many = { metadata: { name: 'many-slips' }, ...slips };
    const { code, headers } = await call('POST', `${maps}?fieldValidation=Warn`, many);
    expect(code).toBe(201);
    expect(String(headers.warning).length).toBeLessThan(8_000);
  });

  it('of others than administrators are forbidden, of strangers unauthorized', async () => {
    user = { name: 'system:node:n1', groups: ['system:nodes'] };
    expect(await call('GET', maps)).toMatchObject({
      code: 403,
      body: {
        reason: 'Forbidden',
        message:
          'configmaps is forbidden: User "system:node:n1" cannot list resource "configmaps" in API group "" in the namespace "default"',
      },
    });
    user = undefined;
    expect(await call('GET', '/apis')).toMatchObject({ code: 401 });
    expect(await call('GET', '/livez')).toMatchObject({ code: 200, body: 'ok' });
    user = admin;
  });

  it('that are too large, or Protobuf of no kind, or nowhere, get a Status', async () => {
    const large = { metadata: { name: 'large' }, data: { x: 'x'.repeat(3 * 1024 * 1024) } };
    expect(await call('POST', maps, large)).toMatchObject({
      code: 413,
      body: { reason: 'RequestEntityTooLarge' },
    });
    const protobuf = await app.inject({
      method: 'POST',
      url: maps,
      headers: { 'content-type': 'application/vnd.kubernetes.protobuf' },
      payload: 'k8s\0',
    });
    expect(protobuf.json()).toMatchObject({ code: 415, reason: 'UnsupportedMediaType' });
    expect(await call('GET', '/api/v1/%zz')).toMatchObject({ code: 400, body: { kind: 'Status' } });
    expect(await call('GET', '/apis/nothing/v1')).toMatchObject({
      code: 404,
      body: { message: 'the server could not find the requested resource' },
    });
  });

  it('take YAML', async () => {
    const answer = await app.inject({
      method: 'POST',
      url: maps,
      headers: { 'content-type': 'application/yaml' },
      payload: 'metadata: {name: from-yaml}\ndata: {a: b}\n',
    });
    expect(answer.json()).toMatchObject({ metadata: { name: 'from-yaml' }, data: { a: 'b' } });
  });

  it('create nothing in a namespace that is going', async () => {
    await create(Namespace, { metadata: { name: 'going' }, spec: { finalizers: ['kubernetes'] } });
    expect(await call('DELETE', '/api/v1/namespaces/going')).toMatchObject({
      body: { status: { phase: 'Terminating' } },
    });
    const url = maps.replace('default', 'going');
    expect(await call('POST', url, { metadata: { name: 'late' } })).toMatchObject({
      code: 403,
      body: { details: { causes: [{ reason: 'NamespaceTerminating' }] } },
    });
    expect(await call('DELETE', '/api/v1/namespaces/default')).toMatchObject({ code: 403 });
  });

  it('delete many by selection and answer with them', async () => {
    for (const name of ['s1', 's2'])
      await call('POST', maps, { metadata: { name, labels: { sweep: 'yes' } } });
    const swept = await call('DELETE', `${maps}?labelSelector=sweep%3Dyes`);
    expect(swept.body.items.map((i: { metadata: { name: string } }) => i.metadata.name)).toEqual([
      's1',
      's2',
    ]);
    expect((await call('GET', `${maps}?labelSelector=sweep`)).body.items).toEqual([]);
  });
});
