import type { FastifyInstance } from 'fastify';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildApiServer } from '../../../../controller/apiserver/api-server.ts';
import { type ApiWorld, openApiWorld } from '../../../support/api-server.ts';

let world: ApiWorld;
let app: FastifyInstance;

beforeAll(async () => {
  world = await openApiWorld();
  app = buildApiServer(world.deps).app;
});

afterAll(async () => {
  await app.close();
  await world.close();
});

const maps = '/api/v1/namespaces/default/configmaps';

async function call(method: 'GET' | 'POST' | 'PUT' | 'DELETE', url: string, body?: unknown) {
  const response = await app.inject({
    method,
    url,
    ...(body === undefined ? {} : { payload: JSON.stringify(body) }),
  });
  return { code: response.statusCode, body: response.json() };
}

const configMap = (name: string, data: Record<string, string> = {}) => ({
  metadata: { name },
  data,
});

describe('a collection', () => {
  it('creates, reads, replaces and deletes, and says what is wrong in a Status', async () => {
    const created = await call('POST', maps, configMap('one', { a: '1' }));
    expect(created.code).toBe(201);
    expect(created.body).toMatchObject({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: {
        name: 'one',
        namespace: 'default',
        uid: expect.stringMatching(/^[0-9a-f-]{36}$/),
      },
      data: { a: '1' },
    });
    expect(await call('GET', `${maps}/one`)).toEqual({ code: 200, body: created.body });
    expect(await call('POST', maps, configMap('one'))).toMatchObject({
      code: 409,
      body: { kind: 'Status', reason: 'AlreadyExists', message: 'configmaps "one" already exists' },
    });
    const stale = { ...created.body, metadata: { ...created.body.metadata, resourceVersion: '1' } };
    expect(await call('PUT', `${maps}/one`, stale)).toMatchObject({
      code: 409,
      body: { reason: 'Conflict' },
    });
    const replaced = await call('PUT', `${maps}/one`, configMap('one', { a: '2' }));
    expect(replaced).toMatchObject({ code: 200, body: { data: { a: '2' } } });
    expect(await call('DELETE', `${maps}/one`)).toMatchObject({
      code: 200,
      body: { status: 'Success', details: { uid: created.body.metadata.uid } },
    });
    expect(await call('GET', `${maps}/one`)).toMatchObject({
      code: 404,
      body: { reason: 'NotFound', message: 'configmaps "one" not found' },
    });
  });

  it('stores nothing in a dry run, whether asked in the query or in the body', async () => {
    expect(await call('POST', `${maps}?dryRun=All`, configMap('dry'))).toMatchObject({ code: 201 });
    expect(await call('GET', `${maps}/dry`)).toMatchObject({ code: 404 });
    await call('POST', maps, configMap('dry', { a: '1' }));
    await call('PUT', `${maps}/dry?dryRun=All`, configMap('dry', { a: '2' }));
    await call('DELETE', `${maps}/dry`, { dryRun: ['All'] });
    expect(await call('GET', `${maps}/dry`)).toMatchObject({
      code: 200,
      body: { data: { a: '1' } },
    });
    await call('DELETE', `${maps}/dry`);
  });

  it('serves all pages of a list as of the revision of the first', async () => {
    for (const name of ['p1', 'p2', 'p3']) await call('POST', maps, configMap(name));
    const first = await call('GET', `${maps}?limit=1&labelSelector=`);
    await call('DELETE', `${maps}/p3`);
    await call('POST', maps, configMap('p4'));
    const { continue: token, resourceVersion } = first.body.metadata;
    const rest = await call('GET', `${maps}?limit=10&continue=${token}`);
    const names = [...first.body.items, ...rest.body.items].map((item) => item.metadata.name);
    expect(names).toEqual(['p1', 'p2', 'p3']);
    expect(rest.body.metadata.resourceVersion).toBe(resourceVersion);
  });

  it('refuses what it does not know, by path', async () => {
    expect(await call('POST', maps, { ...configMap('typo'), dta: {} })).toMatchObject({
      code: 422,
      body: { reason: 'Invalid', details: { causes: [{ field: 'dta' }] } },
    });
    const missing = '/api/v1/namespaces/nowhere/configmaps';
    expect(await call('POST', missing, configMap('x'))).toMatchObject({
      code: 404,
      body: { message: 'namespaces "nowhere" not found' },
    });
  });

  it('answers with a table when asked for one', async () => {
    await call('POST', maps, configMap('in-table', { a: '1', b: '2' }));
    const response = await app.inject({
      url: `${maps}?fieldSelector=metadata.name=in-table`,
      headers: { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json' },
    });
    const table = response.json();
    expect(table.columnDefinitions.map((column: { name: string }) => column.name)).toEqual([
      'Name',
      'Data',
      'Age',
    ]);
    expect(table.rows).toMatchObject([
      {
        cells: ['in-table', 2, expect.stringMatching(/^\d+s$/)],
        object: { metadata: { name: 'in-table' } },
      },
    ]);
  });
});
