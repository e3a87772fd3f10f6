import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { CustomObjectsApi, KubeConfig, makeInformer } from '@kubernetes/client-node';
import { afterEach, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { ConfigMap } from '../../../../api/config-map.ts';
import {
  CustomResourceDefinition,
  isEstablished,
} from '../../../../api/custom-resource-definition.ts';
import { Namespace } from '../../../../api/namespace.ts';
import { parseObject } from '../../../../api/prepare.ts';
import { definitionLoop } from '../../../../controller/controllers/definition.ts';
import { garbageCollector } from '../../../../controller/controllers/garbage-collector.ts';
import { namespaceLoop } from '../../../../controller/controllers/namespace.ts';
import { openMemoryStore } from '../../../contract/fakes/memory-store.ts';
import { type ApiWorld, openApiWorld } from '../../../support/api-server.ts';
import { openTlsWorld } from '../../../support/tls-world.ts';
import { waitFor } from '../../../support/wait-for.ts';

const worlds: ApiWorld[] = [];
afterEach(async () => {
  for (const world of worlds.splice(0)) await world.close();
});

async function aWorld(options: Parameters<typeof openApiWorld>[0] = {}): Promise<ApiWorld> {
  const world = await openApiWorld({ loops: [definitionLoop], ...options });
  worlds.push(world);
  return world;
}

interface Names {
  readonly plural?: string;
  readonly kind?: string;
  readonly shortNames?: readonly string[];
}

const aDefinition = ({ plural = 'toys', kind = 'Toy', shortNames = [] }: Names = {}) => ({
  metadata: { name: `${plural}.shop.example` },
  spec: {
    ...{ group: 'shop.example', scope: 'Namespaced', names: { plural, kind, shortNames } },
    versions: [
      {
        ...{ name: 'v1', served: true, storage: true },
        schema: {
          openAPIV3Schema: {
            type: 'object',
            properties: { spec: { type: 'object', properties: { n: { type: 'integer' } } } },
          },
        },
      },
    ],
  },
});

function read(definition: object) {
  const parsed = parseObject(CustomResourceDefinition, definition);
  if ('errors' in parsed) throw new Error(JSON.stringify(parsed.errors));
  return parsed.object;
}

const define = ({ objects }: ApiWorld, names?: Names) =>
  objects.create(CustomResourceDefinition, read(aDefinition(names)));

const keyOf = (plural: string) => ({ namespace: '', name: `${plural}.shop.example` });
const isServed = ({ cache }: ApiWorld, plural: string) =>
  cache.kinds.all.some((kind) => kind.plural === plural);
const conditionsOf = ({ cache }: ApiWorld, plural: string) =>
  cache
    .get(CustomResourceDefinition, keyOf(plural))
    ?.status.conditions?.map(({ type, status, reason }) => `${type}=${status} ${reason}`);

describe('names', () => {
  it('belong to who came first; the next one gets them when they are free', async () => {
    const world = await aWorld();
    await define(world, { plural: 'toys', kind: 'Toy', shortNames: ['ty'] });
    await waitFor('the first', () => isServed(world, 'toys'));
    await define(world, { plural: 'tyres', kind: 'Tyre', shortNames: ['ty'] });
    await waitFor('an answer', () => conditionsOf(world, 'tyres'));
    expect(conditionsOf(world, 'tyres')).toEqual([
      'NamesAccepted=False ShortNamesConflict',
      'Established=False NotAccepted',
    ]);
    expect(isServed(world, 'tyres')).toBe(false);
    await world.objects.delete(CustomResourceDefinition, keyOf('toys'));
    await waitFor('the second', () => isServed(world, 'tyres'));
    expect(conditionsOf(world, 'tyres')).toEqual([
      'NamesAccepted=True NoConflicts',
      'Established=True InitialNamesAccepted',
    ]);
  });

  it('that are taken later leave the kind as it was', async () => {
    const world = await aWorld();
    await define(world, { plural: 'toys', kind: 'Toy', shortNames: ['ty'] });
    const tyres = await define(world, { plural: 'tyres', kind: 'Tyre' });
    await waitFor('both', () => isServed(world, 'toys') && isServed(world, 'tyres'));
    const target = { key: keyOf('tyres'), part: 'main' } as const;
    await world.objects.modify(CustomResourceDefinition, target, (one) => ({
      ...one,
      spec: { ...one.spec, names: { ...tyres.spec.names, shortNames: ['ty'] } },
    }));
    await waitFor('an answer', () =>
      conditionsOf(world, 'tyres')?.includes('NamesAccepted=False ShortNamesConflict'),
    );
    const kind = world.cache.kinds.all.find(({ plural }) => plural === 'tyres');
    expect(kind?.shortNames).toEqual([]);
  });
});

describe('several controllers', () => {
  it('follow through the store, take up what is there, and drop what goes', async () => {
    const store = openMemoryStore();
    const first = await aWorld({ store });
    const second = await aWorld({ store, loops: [] });
    await define(first);
    await waitFor('both', () => isServed(first, 'toys') && isServed(second, 'toys'));
    const kind = second.cache.kinds.all.find(({ plural }) => plural === 'toys');
    if (!kind) throw new Error('no kind');
    const toy = { apiVersion: '', kind: '', metadata: { name: 'a', namespace: 'default' } };
    await second.objects.create(kind, toy);
    const third = await aWorld({ store, loops: [] });
    const known = third.cache.kinds.all.find(({ plural }) => plural === 'toys');
    expect(known && third.cache.list(known).map(({ metadata }) => metadata.name)).toEqual(['a']);
    await second.objects.delete(CustomResourceDefinition, keyOf('toys'));
    await waitFor('all', () => worlds.every((world) => !isServed(world, 'toys')));
    expect((await store.list('/orc/shop.example/')).entries).toEqual([]);
    for (const world of worlds.splice(0)) await world.close();
    await store.close();
  });

  it('show objects whose definition went without them, when it comes again', async () => {
    const world = await aWorld();
    await define(world);
    await waitFor('it', () => isServed(world, 'toys'));
    const kind = world.cache.kinds.all.find(({ plural }) => plural === 'toys');
    if (!kind) throw new Error('no kind');
    const metadata = { name: 'a', namespace: 'default', finalizers: ['shop.example/x'] };
    await world.objects.create(kind, { apiVersion: '', kind: '', metadata });
    await world.objects.delete(CustomResourceDefinition, keyOf('toys'));
    await world.objects.modify(
      CustomResourceDefinition,
      { key: keyOf('toys'), part: 'all' },
      (one) => ({ ...one, metadata: { ...one.metadata, finalizers: [] } }),
    );
    await waitFor('the definition gone', () => !isServed(world, 'toys'));
    await define(world);
    await waitFor('it again', () => {
      const again = world.cache.kinds.all.find(({ plural }) => plural === 'toys');
      return again && again !== kind && world.cache.list(again).length === 1;
    });
  });
});

it('namespaces and owners take objects of defined kinds along', async () => {
  const loops = [definitionLoop, garbageCollector, namespaceLoop];
  const world = await aWorld({ loops });
  await define(world);
  await waitFor('it', () => isServed(world, 'toys'));
  const toys = world.cache.kinds.all.find(({ plural }) => plural === 'toys');
  if (!toys) throw new Error('no kind');
  const toy = (name: string, more: object = {}) =>
    world.objects.create(toys, {
      ...{ apiVersion: '', kind: '', metadata: { name, namespace: 'default', ...more } },
    });
  const names = () => world.cache.list(toys).map(({ metadata }) => metadata.name);
  const { apiVersion, kind, metadata } = await toy('owner');
  await toy('owned', {
    ownerReferences: [{ apiVersion, kind, name: metadata.name, uid: metadata.uid }],
  });
  await toy('other');
  await world.objects.delete(toys, { namespace: 'default', name: 'owner' });
  await waitFor('the owned one to go', () => names().join() === 'other');
  await world.objects.delete(Namespace, { namespace: '', name: 'default' });
  await waitFor('the other one to go', () => names().length === 0);
});

it('what objects of a defined kind own goes with the definition, what nobody knows the owner of stays', async () => {
  const world = await aWorld({ loops: [definitionLoop, garbageCollector] });
  await define(world);
  await waitFor('it', () => isServed(world, 'toys'));
  const toys = world.cache.kinds.all.find(({ plural }) => plural === 'toys');
  if (!toys) throw new Error('no kind');
  const { apiVersion, kind, metadata } = await world.objects.create(toys, {
    ...{ apiVersion: '', kind: '', metadata: { name: 'owner', namespace: 'default' } },
  });
  const owner = { apiVersion, kind, name: metadata.name, uid: metadata.uid };
  const map = (name: string, ownerReferences: readonly (typeof owner)[]) =>
    world.objects.create(ConfigMap, {
      ...{ apiVersion: 'v1', kind: 'ConfigMap' },
      metadata: { name, namespace: 'default', ownerReferences },
    });
  await map('stray', [{ ...owner, kind: 'Stranger' }]);
  await Promise.all(Array.from({ length: 60 }, (_, i) => map(`owned-${i}`, [owner])));
  await world.objects.delete(CustomResourceDefinition, keyOf('toys'));
  await waitFor('the definition gone', () => !isServed(world, 'toys'));
  await waitFor('what was owned, too', () => world.cache.list(ConfigMap).length === 1);
  expect(world.cache.list(ConfigMap)[0]?.metadata.name).toBe('stray');
});

it('a hundred definitions that come and go leave nothing behind', async () => {
  const world = await aWorld();
  const before = world.cache.kinds.all.length;
  const some = Array.from({ length: 100 }, (_, i) => ({ plural: `p${i}s`, kind: `P${i}` }));
  await Promise.all(some.map((names) => define(world, names)));
  await waitFor('all of them', () => world.cache.kinds.all.length === before + 100);
  const kinds = world.cache.kinds.all.slice(before).map((kind) => new WeakRef(kind));
  for (const { plural } of some)
    await world.objects.delete(CustomResourceDefinition, keyOf(plural));
  await waitFor('none', () => world.cache.list(CustomResourceDefinition).length === 0);
  expect(world.cache.kinds.all).toHaveLength(before);
  setFlagsFromString('--expose-gc');
  const collectGarbage = runInNewContext('gc') as () => void;
  await waitFor('their memory', () => {
    collectGarbage();
    return kinds.filter((kind) => kind.deref()).length < 5;
  });
});

it('an informer of the official client loses and doubles nothing over a restart', async () => {
  const store = openMemoryStore();
  const dir = await mkdtemp(join(tmpdir(), 'orc-restart-'));
  const start = (port = 0) => openTlsWorld({ store, loops: [definitionLoop], dir, port });
  let world = await start();
  const { port } = world;
  const text = await readFile(
    join(import.meta.dirname, '../../../support/greenhouse-definition.yaml'),
    'utf8',
  );
  await world.objects.create(CustomResourceDefinition, read(parse(text)));
  await waitFor('it', () => world.cache.list(CustomResourceDefinition).every(isEstablished));
  const config = new KubeConfig();
  config.loadFromFile(world.kubeconfig);
  const api = config.makeApiClient(CustomObjectsApi);
  const where = { group: 'garden.example', version: 'v1alpha1', namespace: 'default' };
  const of = { ...where, plural: 'greenhouses' };
  const path = '/apis/garden.example/v1alpha1/namespaces/default/greenhouses';
  const informer = makeInformer(config, path, () => api.listNamespacedCustomObject(of));
  const seen: string[] = [];
  for (const event of ['add', 'update', 'delete'] as const)
    informer.on(event, ({ metadata }) => void seen.push(`${event} ${metadata?.name}`));
  informer.on('error', () => void informer.start());
  await informer.start();
  const create = (name: string) =>
    api.createNamespacedCustomObject({
      ...of,
      body: {
        ...{ apiVersion: 'garden.example/v1alpha1', kind: 'Greenhouse', metadata: { name } },
        spec: { plots: [{ row: 1, crop: 'bean' }] },
      },
    });
  for (let i = 0; i < 10; i++) await create(`a${i}`);
  await waitFor('ten', () => seen.length === 10);
  await world.close();
  world = await start(port);
  for (let i = 0; i < 10; i++) await create(`b${i}`);
  await api.deleteNamespacedCustomObject({ ...of, name: 'a0' });
  await waitFor('all of it', () => informer.list().length === 19 && seen.includes('delete a0'));
  await informer.stop();
  await world.close();
  await store.close();
  await rm(dir, { recursive: true });
  const names = (letter: string) => Array.from({ length: 10 }, (_, i) => `add ${letter}${i}`);
  expect(seen.toSorted()).toEqual([...names('a'), ...names('b'), 'delete a0'].toSorted());
});
