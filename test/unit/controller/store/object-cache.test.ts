import { afterEach, describe, expect, it } from 'vitest';
import { ConfigMap } from '../../../../api/config-map.ts';
import type { FieldsOf } from '../../../../api/kind.ts';
import { Secret } from '../../../../api/secret.ts';
import type { Index, ObjectChange } from '../../../../controller/store/objects.ts';
import { type Store, StoreError } from '../../../../controller/store/store.ts';
import { type ObjectWorld, objectWorld, type WorldOptions } from '../../../support/object-world.ts';

let world: ObjectWorld;
afterEach(() => world.stop());
const open = async (options?: WorldOptions) => {
  world = await objectWorld(options);
};

const put = async (namespace: string, name: string, labels: Record<string, string> = {}) => {
  const key = { namespace, name };
  const modified = await world.objects.modify(ConfigMap, { key, part: 'all' }, (stored) => ({
    ...stored,
    metadata: { ...stored.metadata, labels },
  }));
  if (modified) return modified;
  const metadata = { ...key, labels };
  return world.objects.create(ConfigMap, { apiVersion: 'v1', kind: 'ConfigMap', metadata });
};
const names = (objects: readonly ConfigMap[]) =>
  objects.map(({ metadata }) => `${metadata.namespace}/${metadata.name}`);
const brief = ({ key, revision, object, previous }: ObjectChange) =>
  `${revision} ${key.name} ${previous?.metadata.resourceVersion ?? '-'}→${object?.metadata.resourceVersion ?? '-'}`;

describe('the cache', () => {
  it('lists by namespace and name, all or one namespace', async () => {
    await open();
    for (const [namespace, name] of [
      ['b', 'a'],
      ['a-b', 'z'],
      ['a', 'y'],
      ['a', 'x'],
    ] as const)
      await put(namespace, name);
    await world.settled();
    expect(names(world.cache.list(ConfigMap))).toEqual(['a/x', 'a/y', 'a-b/z', 'b/a']);
    expect(names(world.cache.list(ConfigMap, 'a'))).toEqual(['a/x', 'a/y']);
    expect(world.cache.get(ConfigMap, { namespace: 'a', name: 'x' })?.metadata.name).toBe('x');
    expect(world.cache.get(ConfigMap, { namespace: 'a', name: 'z' })).toBeUndefined();
  });

  it('hands out frozen objects', async () => {
    await open();
    await put('a', 'x', { k: 'v' });
    await world.settled();
    const [object] = world.cache.list(ConfigMap);
    expect(Object.isFrozen(object?.metadata.labels)).toBe(true);
  });

  it('tells of every change, after it has it', async () => {
    await open();
    const seen: string[] = [];
    world.cache.onChange((change) => {
      const known = world.cache.get(ConfigMap, change.key);
      expect(known).toBe(change.object);
      expect(world.cache.revision).toBeGreaterThanOrEqual(change.revision);
      seen.push(brief(change));
    });
    await put('a', 'x');
    await put('a', 'x', { k: 'v' });
    await world.objects.delete(ConfigMap, { namespace: 'a', name: 'x' });
    await world.settled();
    expect(seen).toEqual(['1 x -→1', '2 x 1→2', '3 x 3→-']);
  });

  it('keeps its indexes up to date', async () => {
    const byColour: Index<FieldsOf<typeof ConfigMap>> = {
      name: 'by colour',
      kind: ConfigMap,
      valuesOf: ({ metadata }) => (metadata.labels?.colour ? [metadata.labels.colour] : []),
    };
    await open({ indexes: [byColour] });
    await put('a', 'y', { colour: 'red' });
    await put('a', 'x', { colour: 'red' });
    await put('a', 'z');
    await world.settled();
    expect(names(world.cache.byIndex(byColour, 'red'))).toEqual(['a/x', 'a/y']);
    await put('a', 'y', { colour: 'blue' });
    await world.objects.delete(ConfigMap, { namespace: 'a', name: 'x' });
    await world.settled();
    expect(names(world.cache.byIndex(byColour, 'red'))).toEqual([]);
    expect(names(world.cache.byIndex(byColour, 'blue'))).toEqual(['a/y']);
  });

  it('follows revisions that change no object', async () => {
    await open();
    const value = new Uint8Array();
    await world.store.commit({ expect: [], puts: [{ key: '/elsewhere', value }], deletes: [] });
    await world.settled();
    expect(world.cache.revision).toBe(1);
  });

  it('lets a wait for a revision be given up', async () => {
    await open();
    const controller = new AbortController();
    const wait = world.cache.reached(5, controller.signal);
    controller.abort(new Error('no longer'));
    await expect(wait).rejects.toThrow('no longer');
  });

  it('remembers the newest changes for watches that resume', async () => {
    await open({ rememberedChanges: 3 });
    for (let i = 1; i <= 8; i++) await put('a', 'x', { i: String(i) });
    await world.settled();
    expect(world.cache.changesSince(6)?.map(({ revision }) => revision)).toEqual([7, 8]);
    expect(world.cache.changesSince(8)).toEqual([]);
    expect(world.cache.changesSince(0)).toBeUndefined();
  });

  it('survives an object that it cannot read', async () => {
    await open();
    const value = new TextEncoder().encode('not sealed');
    const key = '/orc/core/secrets/a/x';
    await world.store.commit({ expect: [], puts: [{ key, value }], deletes: [] });
    await put('a', 'x');
    await world.settled();
    expect(world.cache.list(Secret)).toEqual([]);
    expect(world.cache.list(ConfigMap)).toHaveLength(1);
  });

  it('lists again when its watch breaks, and tells what it had missed', async () => {
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
    await open({ seenByCache: breaking });
    await put('a', 'kept');
    await put('a', 'changed');
    await put('a', 'removed');
    await world.settled();
    const seen: string[] = [];
    world.cache.onChange((change) => void seen.push(brief(change)));
    breakWatch(new StoreError('Unavailable', 'gone'));
    await put('a', 'changed', { k: 'v' });
    await put('a', 'new');
    await world.objects.delete(ConfigMap, { namespace: 'a', name: 'removed' });
    const settled = world.settled();
    while (world.cache.revision < 6) {
      world.clock.advance(10);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await settled;
    expect(seen).toEqual(['4 changed 2→4', '5 new -→5', '6 removed 6→-']);
    expect(world.cache.changesSince(3), 'there is a gap').toBeUndefined();
    await put('a', 'later');
    await world.settled();
    expect(names(world.cache.list(ConfigMap))).toEqual(['a/changed', 'a/kept', 'a/later', 'a/new']);
  });
});
