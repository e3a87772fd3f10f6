import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ConfigMap } from '../../../../../api/config-map.ts';
import { Deployment } from '../../../../../api/deployment.ts';
import type { AnyObject, Kind } from '../../../../../api/kind.ts';
import { Pod } from '../../../../../api/pod.ts';
import { managedAfter } from '../../../../../controller/apiserver/patch/managed-fields.ts';
import { applyServerSide } from '../../../../../controller/apiserver/patch/server-side-apply.ts';

interface Applied {
  readonly metadata: { readonly managedFields: readonly Readonly<Record<string, unknown>>[] };
  readonly spec?: unknown;
  readonly data?: unknown;
}

const apply = (
  kind: Kind,
  {
    by = 'alice',
    time = '2026-01-01T00:00:00Z',
    force = false,
    live,
    applied,
  }: {
    live?: unknown;
    applied: unknown;
    by?: string;
    force?: boolean;
    time?: string;
  },
) =>
  applyServerSide(
    { kind, manager: by, operation: 'Apply', subresource: '', time },
    { live, applied, force },
  ) as Applied;

const specOf = ({ spec }: Applied) => spec;
const pod = (spec: object) => ({ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'web' }, spec });

describe('server-side apply', () => {
  it('creates, and writes down who applies what', () => {
    const applied = {
      ...pod({
        containers: [{ name: 'web', image: 'a', ports: [{ containerPort: 80 }], args: ['x'] }],
      }),
      metadata: { name: 'web', labels: { app: 'web' }, finalizers: ['a/b'] },
      status: {},
    };
    expect(apply(Pod, { applied })).toEqual({
      ...applied,
      metadata: {
        ...applied.metadata,
        managedFields: [
          {
            manager: 'alice',
            operation: 'Apply',
            apiVersion: 'v1',
            time: '2026-01-01T00:00:00Z',
            fieldsType: 'FieldsV1',
            fieldsV1: {
              'f:metadata': { 'f:labels': { 'f:app': {} }, 'f:finalizers': { 'v:"a/b"': {} } },
              'f:spec': {
                'f:containers': {
                  'k:{"name":"web"}': {
                    '.': {},
                    'f:name': {},
                    'f:image': {},
                    'f:args': {},
                    'f:ports': {
                      'k:{"containerPort":80,"protocol":"TCP"}': { '.': {}, 'f:containerPort': {} },
                    },
                  },
                },
              },
            },
          },
        ],
      },
    });
  });

  it('changes nothing when the same is applied again, later', () => {
    const applied = pod({ containers: [{ name: 'web', image: 'a' }] });
    const once = apply(Pod, { applied });
    expect(apply(Pod, { live: once, applied, time: '2027-01-01T00:00:00Z' })).toEqual(once);
  });

  it('removes what this manager no longer applies, and nothing else', () => {
    const first = apply(Pod, {
      applied: pod({
        hostname: 'a',
        nodeSelector: { x: 'y' },
        containers: [
          { name: 'web', image: 'a', workingDir: '/' },
          { name: 'side', image: 'b' },
        ],
      }),
    });
    const defaulted = {
      ...first,
      spec: { ...(first.spec as object), restartPolicy: 'Always', subdomain: 'by-hand' },
    };
    const second = apply(Pod, {
      live: defaulted,
      applied: pod({ containers: [{ name: 'web', image: 'a' }] }),
    });
    expect(second.spec).toEqual({
      containers: [{ name: 'web', image: 'a' }],
      restartPolicy: 'Always',
      subdomain: 'by-hand',
    });
  });

  it('lets two managers own parts of a list', () => {
    const first = apply(Pod, { applied: pod({ containers: [{ name: 'web', image: 'a' }] }) });
    const second = apply(Pod, {
      live: first,
      by: 'bob',
      applied: pod({ containers: [{ name: 'side', image: 'b' }] }),
    });
    const third = apply(Pod, { live: second, by: 'bob', applied: pod({}) });
    expect([
      specOf(second),
      specOf(third),
      third.metadata.managedFields.map((m) => m.manager),
    ]).toEqual([
      {
        containers: [
          { name: 'web', image: 'a' },
          { name: 'side', image: 'b' },
        ],
      },
      { containers: [{ name: 'web', image: 'a' }] },
      ['alice', 'bob'],
    ]);
  });

  it('keeps a field that another manager applies too', () => {
    const applied = pod({ hostname: 'a' });
    const both = apply(Pod, { live: apply(Pod, { applied }), by: 'bob', applied });
    expect(specOf(apply(Pod, { live: both, applied: pod({ subdomain: 'b' }) }))).toEqual({
      hostname: 'a',
      subdomain: 'b',
    });
  });

  it('refuses to change what another manager applies, and says which fields', () => {
    const live = apply(Pod, {
      applied: pod({ hostname: 'a', containers: [{ name: 'web', image: 'a' }] }),
    });
    const applied = pod({ hostname: 'b', containers: [{ name: 'web', image: 'b' }] });
    expect(() => apply(Pod, { live, by: 'bob', applied })).toThrow(
      expect.objectContaining({
        reason: 'Conflict',
        details: {
          causes: [
            {
              reason: 'FieldManagerConflict',
              message: 'conflict with "alice"',
              field: '.spec.hostname',
            },
            {
              reason: 'FieldManagerConflict',
              message: 'conflict with "alice"',
              field: '.spec.containers[name="web"].image',
            },
          ],
        },
      }),
    );
  });

  it('takes fields over by force', () => {
    const live = apply(Pod, { applied: pod({ hostname: 'a', subdomain: 'a' }) });
    const taken = apply(Pod, { live, by: 'bob', force: true, applied: pod({ hostname: 'b' }) });
    const after = apply(Pod, { live: taken, applied: pod({ subdomain: 'a' }) });
    expect([specOf(taken), specOf(after)]).toEqual([
      { hostname: 'b', subdomain: 'a' },
      { hostname: 'b', subdomain: 'a' },
    ]);
  });

  it('takes what an object without entries has for that of nobody in particular', () => {
    const live = { ...pod({ hostname: 'a', subdomain: 'b' }), status: { phase: 'Running' } };
    const applied = pod({ hostname: 'c' });
    expect(() => apply(Pod, { live, applied })).toThrow(
      'Apply failed with 1 conflict: conflict with "before-first-apply" using v1: .spec.hostname',
    );
    expect(apply(Pod, { live, applied, force: true }).metadata.managedFields).toMatchObject([
      { manager: 'alice', operation: 'Apply', fieldsV1: { 'f:spec': { 'f:hostname': {} } } },
      {
        ...{ manager: 'before-first-apply', operation: 'Update' },
        fieldsV1: { 'f:spec': { 'f:subdomain': {} } },
      },
    ]);
  });

  it('names all conflicts by their managers', () => {
    const first = apply(Pod, { applied: pod({ hostname: 'a', subdomain: 'a' }) });
    const live = apply(Pod, { live: first, by: 'bob', applied: pod({ hostname: 'a' }) });
    const applied = pod({ hostname: 'c', subdomain: 'c' });
    expect(() => apply(Pod, { live, by: 'carol', applied })).toThrow(
      'Apply failed with 3 conflicts: conflicts with "alice":\n- .spec.hostname\n- .spec.subdomain\nconflicts with "bob":\n- .spec.hostname',
    );
  });

  it('leaves an entry of a list to who has changed a field in it, with its key', () => {
    const container = { name: 'web', image: 'a', workingDir: '/' };
    const first = apply(Pod, { applied: pod({ containers: [container] }) });
    const changed = {
      ...first,
      spec: { containers: [{ ...container, image: 'b' }] },
    };
    const by = {
      ...{ kind: Pod, manager: 'bob', subresource: '', time: '2026-01-02T00:00:00Z' },
      operation: 'Update',
    } as const;
    const managedFields = managedAfter(by, {
      live: first as Applied & AnyObject,
      wanted: changed,
      next: changed,
    });
    const live = { ...changed, metadata: { ...changed.metadata, managedFields } };
    expect(specOf(apply(Pod, { live, applied: pod({ hostname: 'x' }) }))).toEqual({
      containers: [{ name: 'web', image: 'b' }],
      hostname: 'x',
    });
  });

  it('does not mind entries that clients have written badly', () => {
    const managedFields = [
      { manager: 'x', operation: 'Apply', fieldsV1: { 'f:data': null } },
      { manager: 'y', operation: 'Apply', fieldsV1: { 'f:data': { 'f:a': 5 } } },
      { manager: 'z', operation: 'Update', fieldsV1: { 'f:data': { 'f:a': {}, 'k:{': {} } } },
    ];
    const live = { metadata: { managedFields }, data: { a: '1' } };
    expect(apply(ConfigMap, { live, applied: { data: { a: '1' } } })).toMatchObject({
      metadata: { managedFields: [{ manager: 'alice' }, { manager: 'z' }] },
    });
  });

  it('knows that half a core is 500m', () => {
    const container = (cpu: string) =>
      pod({ containers: [{ name: 'web', resources: { limits: { cpu } } }] });
    const live = apply(Pod, { applied: container('500m') });
    expect(() => apply(Pod, { live, by: 'bob', applied: container('0.5') })).not.toThrow();
  });

  it('replaces lists without keys as a whole', () => {
    const live = apply(Pod, { applied: pod({ tolerations: [{ key: 'a' }] }) });
    expect(specOf(apply(Pod, { live, applied: pod({ tolerations: [{ key: 'b' }] }) }))).toEqual({
      tolerations: [{ key: 'b' }],
    });
  });

  it('takes the selector and template of a Deployment through', () => {
    const spec = {
      selector: { matchLabels: { app: 'web' } },
      template: {
        metadata: { labels: { app: 'web' } },
        spec: { containers: [{ name: 'web', image: 'a' }] },
      },
    };
    const applied = { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'web' }, spec };
    expect(specOf(apply(Deployment, { applied }))).toEqual(spec);
  });

  it.each<[string, unknown]>([
    ['is an object', []],
    ['leaves managedFields to the server', { metadata: { managedFields: [] } }],
  ])('%s, or is refused', (_, applied) => {
    expect(() => apply(Pod, { applied })).toThrow(
      expect.objectContaining({ reason: 'BadRequest' }),
    );
  });
});

describe('properties', () => {
  const data = fc.dictionary(fc.constantFrom('a', 'b', 'c', 'd'), fc.constantFrom('1', '2'));
  const configMap = (fields: object) => ({ metadata: { name: 'c' }, data: fields });

  it('one manager alone gets exactly what it applied last', () => {
    fc.assert(
      fc.property(fc.array(data, { minLength: 1 }), (history) => {
        let live: Applied | undefined;
        for (const one of history) live = apply(ConfigMap, { live, applied: configMap(one) });
        expect(live?.data ?? {}).toEqual(history.at(-1));
      }),
    );
  });

  it('with force, the last to apply a field has its way, and no field outlives its owners', () => {
    const step = fc.record({ by: fc.constantFrom('alice', 'bob'), data });
    fc.assert(
      fc.property(fc.array(step, { minLength: 1 }), (history) => {
        let live: Applied | undefined;
        const last = new Map<string, Record<string, string>>();
        for (const one of history) {
          live = apply(ConfigMap, { live, by: one.by, force: true, applied: configMap(one.data) });
          last.set(one.by, one.data);
          expect(live.data ?? {}).toMatchObject(one.data);
        }
        const wanted = new Set([...last.values()].flatMap((fields) => Object.keys(fields)));
        for (const name of Object.keys(live?.data ?? {})) expect(wanted).toContain(name);
      }),
    );
  });
});
