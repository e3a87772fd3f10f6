import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CustomResourceDefinition } from '../../../../api/custom-resource-definition.ts';
import type { Kind } from '../../../../api/kind.ts';
import { Lease } from '../../../../api/lease.ts';
import { type Store, StoreError } from '../../../../controller/store/store.ts';
import { anObject } from '../../../support/an-object.ts';
import { type ObjectWorld, objectWorld } from '../../../support/object-world.ts';

let world: ObjectWorld;
let breakWatch: (error: StoreError) => void = () => {};

const breaking = (store: Store): Store => ({
  ...store,
  async *watch(prefix, options) {
    const broken = new Promise<never>((_, reject) => {
      breakWatch = reject;
    });
    const changes = store.watch(prefix, options)[Symbol.asyncIterator]();
    for (;;) {
      const next = await Promise.race([changes.next(), broken]);
      if (next.done) return;
      yield next.value;
    }
  },
});

beforeEach(async () => {
  world = await objectWorld({ seenByCache: breaking });
});
afterEach(() => world.stop());

/** What is written while the cache isn't looking. */
async function inGap(write: () => Promise<unknown>): Promise<void> {
  breakWatch(new StoreError('Unavailable', 'gone'));
  await write();
  const revision = await world.store.revision();
  while (world.cache.revision < revision) {
    world.clock.advance(10);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** One that has been accepted, as its loop would have it. */
async function define(group = 'a.example', plural = 'toys', schema: unknown = { type: 'object' }) {
  const name = `${plural}.${group}`;
  const version = { name: 'v1', served: true, storage: true };
  const made = anObject(CustomResourceDefinition, {
    metadata: { name, annotations: { 'api-approved.kubernetes.io': 'yes' } },
    spec: {
      ...{ group, scope: 'Cluster', names: { plural, kind: 'Toy' } },
      versions: [{ ...version, schema: { openAPIV3Schema: { type: 'object' } } }],
    },
  });
  const conditions = [{ type: 'Established', status: 'True' as const }];
  const versions = [{ ...version, schema: { openAPIV3Schema: schema } }];
  const whole = { ...made, spec: { ...made.spec, versions }, status: { conditions } };
  return world.objects.create(CustomResourceDefinition, whole);
}

const remove = async (name = 'toys.a.example') => {
  const key = { namespace: '', name };
  const target = { key, part: 'all' } as const;
  await world.objects.delete(CustomResourceDefinition, key);
  await world.objects.modify(CustomResourceDefinition, target, (one) => ({
    ...one,
    metadata: { ...one.metadata, finalizers: [] },
  }));
};
const toyKind = (): Kind | undefined => world.cache.kinds.all.find(({ kind }) => kind === 'Toy');
const toy = async (name: string) => {
  const kind = toyKind();
  if (!kind) throw new Error('there is no such kind');
  return world.objects.create(kind, { apiVersion: '', kind: '', metadata: { name } });
};
const toys = () => {
  const kind = toyKind();
  return kind && world.cache.list(kind).map(({ metadata }) => metadata.name);
};

describe('a kind that is defined', () => {
  it('is served once the cache has its definition, under the same identity until that goes', async () => {
    await define();
    await world.settled();
    const kind = toyKind();
    await toy('a');
    await world.settled();
    expect(toys()).toEqual(['a']);
    const target = { key: { namespace: '', name: 'toys.a.example' }, part: 'all' } as const;
    await world.objects.modify(CustomResourceDefinition, target, (one) => ({
      ...one,
      metadata: { ...one.metadata, labels: { a: 'b' } },
    }));
    await world.settled();
    expect(toyKind()).toBe(kind);
    await remove();
    await world.settled();
    expect(toyKind()).toBeUndefined();
    expect(kind && world.cache.kinds.has(kind)).toBe(false);
  });

  it('comes, goes and is made anew while the watch is broken', async () => {
    await inGap(() => define('a.example'));
    await toy('a');
    await world.settled();
    const first = toyKind();
    await inGap(async () => {
      await remove();
      await define('a.example');
    });
    expect(toyKind()).not.toBe(first);
    expect(toys()).toEqual(['a']);
    await inGap(() => remove());
    expect(toyKind()).toBeUndefined();
  });

  it('whose definition can not be read keeps nobody from the others', async () => {
    await define('a.example', 'toys', 'rubbish');
    await define('b.example');
    await world.settled();
    expect(toyKind()?.group).toBe('b.example');
    expect(world.cache.list(CustomResourceDefinition)).toHaveLength(2);
  });

  it('never takes the place of one that is built in', async () => {
    await define('coordination.k8s.io', 'leases');
    await world.settled();
    expect(world.cache.kinds.has(Lease)).toBe(true);
    expect(toyKind()).toBeUndefined();
  });
});
