import { expect, it, onTestFinished } from 'vitest';
import { ConfigMap } from '../../../../api/config-map.ts';
import type { Kind } from '../../../../api/kind.ts';
import { Pod } from '../../../../api/pod.ts';
import { ServiceAccount } from '../../../../api/service-account.ts';
import { buildApiServer } from '../../../../controller/apiserver/api-server.ts';
import type { Cache } from '../../../../controller/store/objects.ts';
import { anObject } from '../../../support/an-object.ts';
import { openApiWorld } from '../../../support/api-server.ts';

const maps = '/api/v1/namespaces/default/configmaps';

/** Two servers on one store; the second's cache has what came last only once it is waited for. */
async function twoServers() {
  const world = await openApiWorld();
  const there = { isFresh: true };
  const waited: number[] = [];
  const behind: Cache = {
    ...world.cache,
    kinds: world.cache.kinds,
    get revision() {
      return there.isFresh ? world.cache.revision : 1;
    },
    get: (kind, key) =>
      there.isFresh || kind !== ConfigMap ? world.cache.get(kind, key) : undefined,
    list: (kind, namespace) => (there.isFresh ? world.cache.list(kind, namespace) : []),
    reached: async (revision) => {
      waited.push(revision);
      await world.cache.reached(revision);
      there.isFresh = true;
    },
  };
  const first = buildApiServer(world.deps).app;
  const second = buildApiServer({ ...world.deps, cache: behind }).app;
  onTestFinished(async () => {
    await first.close();
    await second.close();
    await world.close();
  });
  for (const name of ['a', 'b', 'c'])
    await world.objects.create(
      ConfigMap,
      anObject(ConfigMap, { metadata: { name, namespace: 'default' } }),
    );
  return { first, second, ...{ world, waited }, fallBehind: () => void (there.isFresh = false) };
}

it('deletes all that was there, though another controller has just made it', async () => {
  const { second, fallBehind } = await twoServers();
  fallBehind();
  const { items } = (await second.inject({ method: 'DELETE', url: maps })).json();
  expect(items.length).toBe(3);
});

it('goes on with a list that another controller began', async () => {
  const { first, second, fallBehind } = await twoServers();
  const { metadata } = (await first.inject(`${maps}?limit=2`)).json();
  fallBehind();
  const rest = await second.inject(`${maps}?limit=2&continue=${metadata.continue}`);
  expect(rest.json().items).toMatchObject([{ metadata: { name: 'c' } }]);
});

it('gives a token of a pod that was made only now when that is good', async () => {
  const { second, world, waited } = await twoServers();
  const make = (kind: Kind, name: string, more: object = {}) =>
    world.objects.create(
      kind,
      anObject(kind, { metadata: { name, namespace: 'default' }, ...more }),
    );
  await make(ServiceAccount, 'default');
  const { metadata } = await make(Pod, 'p', { spec: { containers: [{ name: 'a', image: 'b' }] } });
  const { statusCode } = await second.inject({
    ...{ method: 'POST', url: '/api/v1/namespaces/default/serviceaccounts/default/token' },
    payload: { spec: { boundObjectRef: { kind: 'Pod', apiVersion: 'v1', name: 'p' } } },
  });
  expect({ statusCode, waited }).toEqual({
    ...{ statusCode: 201, waited: [Number(metadata.resourceVersion)] },
  });
});

it('applies to what another controller has made at the same moment', async () => {
  const { world } = await twoServers();
  const { objects } = world.deps;
  const key = { namespace: 'default', name: 'new' };
  let isFirst = true;
  const get: typeof objects.get = async (kind, at) => {
    if (kind !== ConfigMap || !isFirst) return objects.get(kind, at);
    isFirst = false;
    await objects.create(ConfigMap, anObject(ConfigMap, { metadata: key, data: { a: '1' } }));
    return undefined;
  };
  const { app } = buildApiServer({ ...world.deps, objects: { ...objects, get } });
  onTestFinished(() => app.close());
  const answer = await app.inject({
    ...{ method: 'PATCH', url: `${maps}/new?fieldManager=me` },
    headers: { 'content-type': 'application/apply-patch+yaml' },
    payload: JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', data: { b: '2' } }),
  });
  expect(answer.json()).toMatchObject({ data: { a: '1', b: '2' } });
  expect(answer.statusCode).toBe(200);
});
