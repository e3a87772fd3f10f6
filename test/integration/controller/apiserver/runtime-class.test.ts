import type { FastifyInstance } from 'fastify';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildApiServer } from '../../../../controller/apiserver/api-server.ts';
import { type ApiWorld, admin, openApiWorld } from '../../../support/api-server.ts';

let world: ApiWorld;
let app: FastifyInstance;
beforeAll(async () => {
  world = await openApiWorld({ authenticate: () => admin });
  app = buildApiServer(world.deps).app;
  const runtimeClass = { metadata: { name: 'box' }, handler: 'kata' };
  await send('POST', '/apis/node.k8s.io/v1/runtimeclasses', runtimeClass);
});
afterAll(async () => {
  await app.close();
  await world.close();
});

const pods = '/api/v1/namespaces/default/pods';

async function send(method: 'POST' | 'PATCH', url: string, body: unknown) {
  const type = method === 'PATCH' ? 'application/apply-patch+yaml' : 'application/json';
  const headers = { 'content-type': type };
  const response = await app.inject({ method, url, headers, payload: JSON.stringify(body) });
  return { code: response.statusCode, body: response.json() };
}

const as =
  (method: 'POST' | 'PATCH', url: string, metadata: object) =>
  (runtimeClassName: string, container: object = {}) => {
    const spec = { runtimeClassName, containers: [{ name: 'c', image: 'c:1', ...container }] };
    return send(method, url, { apiVersion: 'v1', kind: 'Pod', metadata, spec });
  };

/** Each as it is created, and as it is applied. */
const url = `${pods}/other?fieldManager=me`;
const ways = [
  { way: 'created', send: as('POST', pods, { name: 'web' }), shown: 'web' },
  {
    way: 'created with a generated name',
    send: as('POST', pods, { generateName: 'made-' }),
    shown: 'made-',
  },
  { way: 'applied', send: as('PATCH', url, { name: 'other' }), shown: 'other' },
];

describe.each(ways)('a pod that is $way', ({ send, shown }) => {
  it('is refused where its RuntimeClass is not', async () => {
    const why = 'pod rejected: RuntimeClass "nowhere" not found';
    expect(await send('nowhere')).toMatchObject({
      code: 403,
      body: {
        reason: 'Forbidden',
        message: `pods "${shown}" is forbidden: ${why}`,
        details: {
          ...{ name: shown, kind: 'pods' },
          causes: [{ reason: 'FieldValueNotFound', message: why, field: 'spec.runtimeClassName' }],
        },
      },
    });
  });

  it('is refused with a RuntimeClass and a terminal', async () => {
    expect(await send('box', { tty: true })).toMatchObject({
      code: 422,
      body: {
        reason: 'Invalid',
        details: { name: shown, causes: [{ field: 'spec.containers[0].tty' }] },
      },
    });
  });

  it('is taken with one that is there', async () => {
    expect(await send('box')).toMatchObject({ code: 201 });
  });
});
