import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ConfigMap } from '../../../../api/config-map.ts';
import { Deployment } from '../../../../api/deployment.ts';
import type { FieldsOf, NewObject } from '../../../../api/kind.ts';
import { Node } from '../../../../api/node.ts';
import { Pod } from '../../../../api/pod.ts';
import { Secret } from '../../../../api/secret.ts';
import { Service } from '../../../../api/service.ts';
import { objectCodec } from '../../../../controller/store/object-codec.ts';
import { openObjects } from '../../../../controller/store/object-store.ts';
import type { Alongside } from '../../../../controller/store/objects.ts';
import { secretBox } from '../../../../controller/store/secret-box.ts';
import { anObject } from '../../../support/an-object.ts';
import { type ObjectWorld, objectWorld } from '../../../support/object-world.ts';
import { seededRng } from '../../../support/seeded-rng.ts';

let world: ObjectWorld;
beforeEach(async () => {
  world = await objectWorld();
});
afterEach(() => world.stop());

const key = { namespace: 'default', name: 'a' };
const configMap = (data: Record<string, string>, metadata: object = { name: 'a' }) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { namespace: 'default', ...metadata },
  data,
});
const deployment = () => {
  const { metadata: _, ...rest } = anObject(Deployment, {
    metadata: { name: 'a' },
    spec: {
      selector: { matchLabels: { app: 'a' } },
      template: {
        metadata: { labels: { app: 'a' } },
        spec: { containers: [{ name: 'a', image: 'a:1' }] },
      },
    },
  });
  return { ...rest, metadata: { namespace: 'default', name: 'a' } };
};
const create = (data: Record<string, string>, metadata?: object) =>
  world.objects.create(ConfigMap, configMap(data, metadata));

describe('creating an object', () => {
  it('fills in what only the store knows', async () => {
    const created = await create({ x: '1' });
    expect(created).toEqual({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: {
        name: 'a',
        namespace: 'default',
        uid: expect.stringMatching(/^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/),
        creationTimestamp: '2026-01-01T00:00:00Z',
        resourceVersion: '1',
      },
      data: { x: '1' },
    });
    expect(await world.objects.get(ConfigMap, key)).toEqual(created);
    expect(Object.isFrozen(created.data)).toBe(true);
  });

  it('makes no name that is longer than a label may be', async () => {
    const created = await create({}, { generateName: `${'a'.repeat(80)}-` });
    expect(created.metadata.name).toMatch(/^a{58}[a-z0-9]{5}$/);
  });

  it('makes a name behind generateName', async () => {
    const created = await create({}, { generateName: 'a-' });
    expect(created.metadata.name).toMatch(/^a-[bcdfghjklmnpqrstvwxz2456789]{5}$/);
  });

  it('refuses a name that is taken', async () => {
    await create({});
    await expect(create({})).rejects.toMatchObject({
      reason: 'AlreadyExists',
      message: 'configmaps "a" already exists',
    });
  });

  it('counts generations where there is a spec', async () => {
    const created = await world.objects.create(Deployment, deployment());
    expect(created.metadata.generation).toBe(1);
  });

  it('refuses what is too large', async () => {
    await expect(create({ x: 'x'.repeat(1_600_000) })).rejects.toMatchObject({
      reason: 'RequestEntityTooLarge',
    });
  });
});

describe('updating an object', () => {
  it('replaces it and gives it a new resourceVersion', async () => {
    const created = await create({ x: '1' });
    const updated = await world.objects.update(ConfigMap, { ...created, data: { x: '2' } }, 'main');
    expect(updated).toMatchObject({ data: { x: '2' }, metadata: { resourceVersion: '2' } });
  });

  it('writes nothing when nothing changes', async () => {
    const created = await create({ x: '1' });
    expect(await world.objects.update(ConfigMap, { ...created }, 'main')).toEqual(created);
    expect(await world.store.revision()).toBe(1);
  });

  it('refuses one that is based on an older version', async () => {
    const created = await create({ x: '1' });
    await world.objects.update(ConfigMap, { ...created, data: { x: '2' } }, 'main');
    const late = world.objects.update(ConfigMap, { ...created, data: { x: '3' } }, 'main');
    await expect(late).rejects.toMatchObject({
      reason: 'Conflict',
      message:
        'Operation cannot be fulfilled on configmaps "a": the object has been modified; ' +
        'please apply your changes to the latest version and try again',
    });
  });

  it('refuses one of another object with the same name', async () => {
    const created = await create({});
    await world.objects.delete(ConfigMap, key);
    const { metadata } = await create({});
    const stale = { ...created, metadata: { ...created.metadata, resourceVersion: '' } };
    await expect(world.objects.update(ConfigMap, stale, 'main')).rejects.toMatchObject({
      reason: 'Conflict',
      message: expect.stringContaining(`UID in object meta: ${metadata.uid}`),
    });
  });

  it('lets nobody change identity and life cycle', async () => {
    const created = await create({});
    const forged = {
      creationTimestamp: '1999-01-01T00:00:00Z',
      deletionTimestamp: 'now',
      generation: 7,
    };
    const { metadata } = await world.objects.update(
      ConfigMap,
      { ...created, data: { x: '2' }, metadata: { ...created.metadata, ...forged } },
      'main',
    );
    expect(metadata).toEqual({ ...created.metadata, resourceVersion: '2' });
  });

  it('keeps the status from those who write the main part, and the other way round', async () => {
    const created = await world.objects.create(Deployment, deployment());
    const both = {
      ...created,
      spec: { ...created.spec, replicas: 9 },
      status: { ...created.status, replicas: 5 },
    };
    const main = await world.objects.update(Deployment, both, 'main');
    expect([main.spec.replicas, main.status.replicas]).toEqual([9, undefined]);
    const status = await world.objects.update(
      Deployment,
      { ...main, spec: { ...main.spec, replicas: 1 }, status: both.status },
      'status',
    );
    expect([status.spec.replicas, status.status.replicas]).toEqual([9, 5]);
    expect([main, status].map(({ metadata }) => metadata.generation)).toEqual([2, 2]);
  });

  it('changes by a function again when someone else was faster', async () => {
    await create({ n: '0' });
    const add = () =>
      world.objects.modify(ConfigMap, { key, part: 'main' }, (stored) => ({
        ...stored,
        data: { n: String(Number(stored.data?.n) + 1) },
      }));
    await Promise.all([add(), add(), add(), add()]);
    expect((await world.objects.get(ConfigMap, key))?.data).toEqual({ n: '4' });
    const absent = { key: { ...key, name: 'absent' }, part: 'main' } as const;
    expect(await world.objects.modify(ConfigMap, absent, () => undefined)).toBeUndefined();
  });
});

describe('claims', () => {
  const service = (name: string, clusterIP: string): NewObject<FieldsOf<typeof Service>> => {
    const { metadata: _, ...rest } = anObject(Service, {
      metadata: { name },
      spec: { ports: [{ port: 80 }], clusterIP },
    });
    return { ...rest, metadata: { namespace: 'default', name } };
  };
  const createService = (name: string, ip: string) =>
    world.objects.create(Service, service(name, ip));

  it('keep two objects from having the same', async () => {
    await createService('a', '10.96.0.7');
    await expect(createService('b', '10.96.0.7')).rejects.toMatchObject({
      reason: 'Invalid',
      message:
        'Service "b" is invalid: spec.clusterIP: Invalid value: "10.96.0.7": ' +
        'provided IP is already allocated',
    });
    expect(await world.objects.get(Service, { ...key, name: 'b' })).toBeUndefined();
  });

  it('are given back with the object', async () => {
    await createService('a', '10.96.0.7');
    await world.objects.delete(Service, key);
    await createService('b', '10.96.0.7');
  });

  it('move with an update', async () => {
    const created = await createService('a', '10.96.0.7');
    const spec = { ...created.spec, clusterIP: '10.96.0.8', clusterIPs: ['10.96.0.8'] };
    await world.objects.update(Service, { ...created, spec }, 'all');
    await createService('b', '10.96.0.7');
    await expect(createService('c', '10.96.0.8')).rejects.toMatchObject({ reason: 'Invalid' });
  });
});

describe('deleting an object', () => {
  it('removes it and returns its last state', async () => {
    const created = await create({ x: '1' });
    expect(await world.objects.delete(ConfigMap, key)).toEqual({
      outcome: 'removed',
      object: { ...created, metadata: { ...created.metadata, resourceVersion: '2' } },
    });
    expect(await world.objects.delete(ConfigMap, key)).toEqual({ outcome: 'absent' });
  });

  it('holds to its preconditions', async () => {
    await create({});
    const other = world.objects.delete(ConfigMap, key, { preconditions: { uid: 'other' } });
    await expect(other).rejects.toMatchObject({ reason: 'Conflict' });
    const old = world.objects.delete(ConfigMap, key, { preconditions: { resourceVersion: '9' } });
    await expect(old).rejects.toMatchObject({ reason: 'Conflict' });
  });

  it('waits for finalizers; the last one to go takes the object with it', async () => {
    const created = await create({}, { name: 'a', finalizers: ['example.com/x'] });
    const outcome = await world.objects.delete(ConfigMap, key);
    expect(outcome).toMatchObject({
      outcome: 'marked',
      object: {
        metadata: { deletionTimestamp: '2026-01-01T00:00:00Z', uid: created.metadata.uid },
      },
    });
    const marked = await world.objects.get(ConfigMap, key);
    if (!marked) throw new Error('it is gone');
    const metadata = { ...marked.metadata, finalizers: [] };
    await world.objects.update(ConfigMap, { ...marked, metadata }, 'main');
    expect(await world.objects.get(ConfigMap, key)).toBeUndefined();
  });

  it('marks a running pod, and removes it when its node says that it has ended', async () => {
    const { metadata: _, ...rest } = anObject(Pod, {
      metadata: { name: 'a' },
      spec: { nodeName: 'n1', containers: [{ name: 'a', image: 'a:1' }] },
    });
    await world.objects.create(Pod, { ...rest, metadata: { namespace: 'default', name: 'a' } });
    expect(await world.objects.delete(Pod, key)).toMatchObject({
      outcome: 'marked',
      object: {
        metadata: { deletionTimestamp: '2026-01-01T00:00:30Z', deletionGracePeriodSeconds: 30 },
      },
    });
    const ended = await world.objects.delete(Pod, key, { gracePeriodSeconds: 0 });
    expect(ended.outcome).toBe('removed');
  });
});

describe('the store', () => {
  it('never has a Secret in the clear', async () => {
    const { metadata: _, ...rest } = anObject(Secret, {
      metadata: { name: 'a' },
      data: { password: 'aHVudGVyMg==' },
    });
    await world.objects.create(Secret, { ...rest, metadata: { namespace: 'default', name: 'a' } });
    const { entries } = await world.store.list('/');
    expect(entries.map((entry) => entry.key)).toEqual(['/orc/core/secrets/default/a']);
    const stored = Buffer.from(entries[0]?.value ?? []).toString('latin1');
    expect(stored).not.toMatch(/password|aHVudGVyMg|default/);
    expect((await world.objects.get(Secret, key))?.data).toEqual({ password: 'aHVudGVyMg==' });
  });

  it('has keys by group, resource, namespace and name', async () => {
    await create({});
    await world.objects.create(Deployment, deployment());
    await world.objects.create(Node, {
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name: 'n1' },
      spec: { podCIDR: '10.244.0.0/22' },
      status: {},
    });
    const { entries } = await world.store.list('/');
    expect(entries.map((entry) => entry.key)).toEqual([
      '/orc/apps/deployments/default/a',
      expect.stringMatching(/^\/orc\/claims\//),
      '/orc/core/configmaps/default/a',
      '/orc/core/nodes/n1',
    ]);
  });
});

describe('a write alongside others', () => {
  const counterKey = { namespace: 'default', name: 'counter' };
  const count = async () => Number((await world.objects.get(ConfigMap, counterKey))?.data?.n);
  /** Counts up to ten. */
  const counting: Alongside<FieldsOf<typeof ConfigMap>> = {
    kind: ConfigMap,
    key: counterKey,
    change(counter) {
      const n = Number(counter.data?.n) + 1;
      if (n > 10) throw new Error('full');
      return { ...counter, data: { n: String(n) } };
    },
  };
  beforeEach(() => create({ n: '0' }, { name: 'counter' }));
  const newObject = (name: string) => configMap({}, { name });

  it('changes them in the same revision', async () => {
    const made = await world.objects.alongside([counting]).create(ConfigMap, newObject('x'));
    const counter = await world.objects.get(ConfigMap, counterKey);
    expect([counter?.data, counter?.metadata.resourceVersion]).toEqual([
      ...[{ n: '1' }, made.metadata.resourceVersion],
    ]);
  });

  it('is not made when one of them refuses it, nor are they changed when it fails', async () => {
    const full = { ...counting, change: () => expect.fail('full') };
    const refused = world.objects.alongside([full]).create(ConfigMap, newObject('x'));
    await expect(refused).rejects.toThrow('full');
    expect(await world.objects.get(ConfigMap, { namespace: 'default', name: 'x' })).toBeUndefined();
    const objects = world.objects.alongside([counting]);
    await objects.create(ConfigMap, newObject('x'));
    await expect(objects.create(ConfigMap, newObject('x'))).rejects.toThrow('already exists');
    expect(await count()).toBe(1);
  });

  it('leaves those that need no change, and those that are gone', async () => {
    const others = [
      { ...counting, change: () => undefined },
      { ...counting, key: { namespace: 'default', name: 'gone' } },
    ];
    await world.objects.alongside(others).create(ConfigMap, newObject('x'));
    expect(await count()).toBe(0);
  });

  it('counts right with several writers, each of many writes at once', async () => {
    const codec = objectCodec(secretBox(new Uint8Array(32), seededRng(1)));
    const writers = [1, 2, 3].map((seed) =>
      openObjects({ store: world.store, codec, clock: world.clock, rng: seededRng(seed) }),
    );
    const names = Array.from({ length: 60 }, (_, i) => `n${i}`);
    const outcomes = await Promise.allSettled(
      names.map(async (name, i) =>
        writers[i % 3]?.alongside([counting]).create(ConfigMap, newObject(name)),
      ),
    );
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(10);
    expect(await count()).toBe(10);
  });
});
