import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ConfigMap } from '../../../../../api/config-map.ts';
import { Deployment } from '../../../../../api/deployment.ts';
import type { AnyObject, Kind } from '../../../../../api/kind.ts';
import { isObject } from '../../../../../api/normalize.ts';
import { fieldsOf } from '../../../../../controller/apiserver/patch/field-set.ts';
import {
  type ManagedFields,
  managedAfter,
  managedFieldsOf,
} from '../../../../../controller/apiserver/patch/managed-fields.ts';
import { applyServerSide } from '../../../../../controller/apiserver/patch/server-side-apply.ts';

type Live = AnyObject & { readonly data?: object };

const writerOf = (kind: Kind, manager: string, subresource = '', second = 0) => ({
  ...{ kind, manager, subresource, operation: 'Update' as const },
  time: new Date(second * 1000).toISOString().replace('.000', ''),
});

const updated = (by: ReturnType<typeof writerOf>, live: Live, change: object): Live => {
  const next = { ...live, ...change };
  const managedFields = managedAfter(by, { live, wanted: next, next });
  return { ...next, metadata: { ...live.metadata, managedFields } } as Live;
};

const applied = (by: ReturnType<typeof writerOf>, live: Live | undefined, wanted: object) =>
  applyServerSide({ ...by, operation: 'Apply' }, { live, applied: wanted, force: true }) as Live;

const told = (object: unknown) =>
  managedFieldsOf(object).map(({ manager, operation, fieldsV1 }) => [manager, operation, fieldsV1]);

const map = (manager: string, second = 0) => writerOf(ConfigMap, manager, '', second);
const start = (data: object) => applied(map('alice'), undefined, { data });
const data = (...names: readonly string[]) => ({
  'f:data': Object.fromEntries(names.map((name) => [`f:${name}`, {}])),
});

describe('an update', () => {
  it('takes what it changes and adds, and nobody has what is gone', () => {
    const live = start({ a: '1', b: '1', c: '1' });
    expect(told(updated(map('bob'), live, { data: { a: '2', b: '1', d: '1' } }))).toEqual([
      ['alice', 'Apply', data('b')],
      ['bob', 'Update', data('a', 'd')],
    ]);
  });

  it('that changes nothing leaves the entries, and their times', () => {
    const live = updated(map('bob'), start({ a: '1' }), { data: { a: '2' } });
    expect(updated(map('bob', 9), live, { data: { a: '2' } })).toEqual(live);
    expect(updated(map('carol', 9), live, {})).toEqual(live);
  });

  it('by the same manager is put to what that has', () => {
    const once = updated(map('bob'), start({ a: '1' }), { data: { a: '1', b: '1' } });
    const twice = updated(map('bob', 9), once, { data: { a: '2', b: '1' } });
    expect(told(twice)).toEqual([['bob', 'Update', data('a', 'b')]]);
    expect(managedFieldsOf(twice)[0]?.time).toBe('1970-01-01T00:00:09Z');
  });

  it('of an object that nobody has applied is not written down', () => {
    const live = { data: { a: '1' }, metadata: {} } as Live;
    expect(told(updated(map('bob'), live, { data: { a: '2' } }))).toEqual([]);
  });

  it('has a status and a scale of its own', () => {
    const spec = { replicas: 1, paused: false };
    const live = applied(writerOf(Deployment, 'alice'), undefined, { spec });
    const bySub = (name: string) => writerOf(Deployment, 'bob', name);
    const scaled = updated(bySub('scale'), live, { spec: { ...spec, replicas: 2 } });
    const both = updated(bySub('status'), scaled, { status: { replicas: 2 } });
    expect(managedFieldsOf(both)).toMatchObject([
      { manager: 'alice', fieldsV1: { 'f:spec': { 'f:paused': {} } } },
      { manager: 'bob', subresource: 'scale', fieldsV1: { 'f:spec': { 'f:replicas': {} } } },
      { manager: 'bob', subresource: 'status', fieldsV1: { 'f:status': { 'f:replicas': {} } } },
    ]);
  });

  it('has an entry of a list that it adds, and in others what it changes', () => {
    const template = (containers: object) => ({ spec: { template: { spec: { containers } } } });
    const web = { name: 'web', image: 'a' };
    const live = applied(writerOf(Deployment, 'alice'), undefined, template([web]));
    const changed = template([
      { ...web, image: 'b' },
      { name: 'side', image: 'c' },
    ]);
    const [, bob] = managedFieldsOf(updated(writerOf(Deployment, 'bob'), live, changed));
    expect(bob?.fieldsV1).toEqual(
      containerFields({
        'k:{"name":"web"}': { 'f:image': {} },
        'k:{"name":"side"}': { '.': {}, 'f:name': {}, 'f:image': {} },
      }),
    );
  });

  it('is one of ten: of more the oldest become one', () => {
    let live = start({ x: '1' });
    for (let i = 1; i <= 13; i++) {
      const next = { ...live.data, [`k${i}`]: '1' };
      live = updated(map(`m${String(i).padStart(2, '0')}`, i), live, { data: next });
    }
    const entries = managedFieldsOf(live);
    expect(entries.map(({ manager }) => manager)).toEqual([
      ...['alice', 'ancient-changes', 'm05', 'm06', 'm07', 'm08', 'm09', 'm10', 'm11', 'm12'],
      'm13',
    ]);
    expect(entries[1]).toMatchObject({
      ...{ operation: 'Update', time: '1970-01-01T00:00:04Z' },
      fieldsV1: data('k1', 'k2', 'k3', 'k4'),
    });
  });
});

const containerFields = (containers: object) => ({
  'f:spec': { 'f:template': { 'f:spec': { 'f:containers': containers } } },
});

/** Paths of leaves, "data/a". */
const leaves = (set: object, at = ''): readonly string[] =>
  Object.entries(set).flatMap(([step, inner]: [string, object]) =>
    Object.keys(inner).length === 0 ? [`${at}/${step}`] : leaves(inner, `${at}/${step}`),
  );

describe('after any writes', () => {
  const manager = fc.constantFrom('alice', 'bob', 'carol');
  const values = fc.dictionary(fc.constantFrom('a', 'b', 'c'), fc.constantFrom('1', '2', '3'), {
    noNullPrototype: true,
  });
  const write = fc.record({ by: manager, applies: fc.boolean(), values });

  it('owners of a field have written it, and who wrote its value last is one of them', () => {
    fc.assert(
      fc.property(values, fc.array(write, { maxLength: 12 }), (first, writes) => {
        let live = start(first);
        const written = new Set(['alice Apply /f:data']);
        for (const name of Object.keys(first)) written.add(`alice Apply /f:data/f:${name}`);
        for (const { by, applies, values: wanted } of writes) {
          const before = live;
          live = applies
            ? applied(map(by), live, { data: wanted })
            : updated(map(by), live, { data: wanted });
          for (const name of Object.keys(wanted))
            written.add(`${by} ${applies ? 'Apply' : 'Update'} /f:data/f:${name}`);
          // An empty map is a field, too.
          if (applies) written.add(`${by} Apply /f:data`);
          // What nobody has entered any more begins anew.
          if (managedFieldsOf(before).length === 0)
            for (const path of leaves(fieldsOf(ConfigMap.schema, { data: before.data ?? {} })))
              written.add(`before-first-apply Update ${path}`);
          checkOwners(live, written);
          checkLast({ before, live, by: { manager: by, operation: applies ? 'Apply' : 'Update' } });
        }
      }),
      { numRuns: 500 },
    );
  });

  function checkOwners(live: Live, written: ReadonlySet<string>) {
    for (const { manager, operation, fieldsV1 } of managedFieldsOf(live))
      for (const path of leaves(fieldsV1))
        expect(written).toContain(`${manager} ${operation} ${path}`);
  }

  /** Whoever holds a field that this write has changed: the writer alone. */
  function checkLast(write: {
    readonly before: Live;
    readonly live: Live;
    readonly by: Pick<ManagedFields, 'manager' | 'operation'>;
  }) {
    const [old, now] = [write.before.data ?? {}, write.live.data ?? {}].map((one) =>
      isObject(one) ? one : {},
    );
    const entries = managedFieldsOf(write.live);
    if (entries.length === 0) return;
    for (const [name, value] of Object.entries(now ?? {})) {
      if (old?.[name] === value) continue;
      const owners = entries.filter(({ fieldsV1 }) => fieldsV1['f:data']?.[`f:${name}`]);
      expect(owners.map(({ manager, operation }) => ({ manager, operation }))).toEqual([write.by]);
    }
  }
});
