import { describe, expect, it } from 'vitest';
import { CustomResourceDefinition } from '../../../api/custom-resource-definition.ts';
import { kindOf } from '../../../api/defined-kind.ts';
import { parseObject, parseUpdate } from '../../../api/prepare.ts';
import { anObject } from '../../support/an-object.ts';

const version = {
  ...{ name: 'v1', served: true, storage: true },
  schema: { openAPIV3Schema: { type: 'object' } },
};
const spec = {
  ...{ group: 'shop.example', scope: 'Cluster', names: { plural: 'toys', kind: 'Toy' } },
  versions: [version],
};
const definition = (changes: object = {}, name = 'toys.shop.example') => ({
  metadata: { name },
  spec: { ...spec, ...changes },
});

describe('a definition', () => {
  const refused = (what: string, json: object, error: string) =>
    it(`is refused for ${what}`, () => {
      const parsed = parseObject(CustomResourceDefinition, json);
      const errors = 'errors' in parsed ? parsed.errors : [];
      expect(errors.map(({ path, message }) => `${path}: ${message}`)).toEqual([error]);
    });
  refused(
    'another name',
    definition({}, 'toy.shop.example'),
    'metadata.name: Invalid value: "toy.shop.example": must be spec.names.plural+"."+spec.group',
  );
  refused(
    'a group of one word',
    definition({ group: 'shop' }, 'toys.shop'),
    'spec.group: Invalid value: "shop": should be a domain with at least one dot',
  );
  refused(
    "a group of Kubernetes' own",
    definition({ group: 'shop.k8s.io' }, 'toys.shop.k8s.io'),
    'metadata.annotations[api-approved.kubernetes.io]: Required value: for protected groups',
  );
  refused(
    'more versions',
    definition({ versions: [version, { ...version, name: 'v2' }] }),
    'spec.versions[1]: not supported by orc yet',
  );
  refused(
    'a version that is not served',
    definition({ versions: [{ ...version, served: false }] }),
    'spec.versions[0].served: false is not supported by orc yet',
  );
  refused(
    'a webhook that converts',
    definition({ conversion: { strategy: 'Webhook' } }),
    'spec.conversion.strategy: "Webhook" is not supported by orc yet',
  );
  refused(
    'selectable fields',
    definition({ versions: [{ ...version, selectableFields: [{ jsonPath: '.spec.a' }] }] }),
    'spec.versions[0].selectableFields: not supported by orc yet',
  );
  refused(
    'the name of its lists',
    definition({ names: { ...spec.names, listKind: 'Toybox' } }),
    'spec.names.listKind: "Toybox" is not supported by orc yet',
  );
  refused(
    'a path that is none',
    definition({
      versions: [
        { ...version, additionalPrinterColumns: [{ name: 'A', type: 'string', jsonPath: 'a' }] },
      ],
    }),
    'spec.versions[0].additionalPrinterColumns[0].jsonPath: Invalid value: "a": must start with a dot, and have neither .. nor a comma',
  );
  refused(
    'a schema without a type',
    definition({ versions: [{ ...version, schema: { openAPIV3Schema: {} } }] }),
    'spec.versions[0].schema.openAPIV3Schema.type: Required value: must not be empty at the root',
  );

  it('keeps its scope, its kind and its version once it is established', () => {
    const conditions = [{ type: 'Established', status: 'True' as const }];
    const status = { conditions, storedVersions: ['v1'] };
    const previous = anObject(CustomResourceDefinition, { ...definition(), status });
    const versions = [{ ...version, name: 'v2' }];
    const names = { plural: 'toys', kind: 'Tool' };
    const changed = { ...definition({ scope: 'Namespaced', names, versions }), status };
    const parsed = parseUpdate(CustomResourceDefinition, changed, { previous });
    expect('errors' in parsed && parsed.errors.map(({ path }) => path)).toEqual([
      'spec.scope',
      'spec.names.kind',
      'status.storedVersions[0]',
    ]);
  });
});

const anyValue = {
  openAPIV3Schema: {
    type: 'object',
    properties: { v: { 'x-kubernetes-preserve-unknown-fields': true } },
  },
};

describe('a kind that was defined', () => {
  it('refuses a value that its pattern takes too long for, and holds nobody up', () => {
    const name = { type: 'string', pattern: '^(a+)+$' };
    const schema = { openAPIV3Schema: { type: 'object', properties: { name } } };
    const slow = kindOf(
      anObject(CustomResourceDefinition, definition({ versions: [{ ...version, schema }] })),
    );
    const at = performance.now();
    const toy = { metadata: { name: 'a' }, name: `${'a'.repeat(100)}!` };
    const parsed = parseObject(slow, toy);
    expect(performance.now() - at).toBeLessThan(4000);
    expect('errors' in parsed && parsed.errors[0]?.message).toMatch(/takes more than 500 ms/);
    expect(parseObject(slow, { ...toy, name: 'aaa' })).toHaveProperty('object');
  });

  it('shows cells of their types, and nothing for what is missing or of another type', () => {
    const columns = ['integer', 'number', 'string', 'boolean', 'date'].map((type) => ({
      ...{ name: type, type, jsonPath: '.v' },
    }));
    const kind = kindOf(
      anObject(
        CustomResourceDefinition,
        definition({
          versions: [{ ...version, schema: anyValue, additionalPrinterColumns: columns }],
        }),
      ),
    );
    const cells = (v: unknown) =>
      kind.columns.map(({ of }) =>
        of(anObject(kind, { metadata: { name: 'a' }, v } as never), Date.UTC(2026, 0, 1)),
      );
    expect(cells(1.5)).toEqual([1, 1.5, '1.5', null, null]);
    expect(cells(true)).toEqual([null, null, 'true', true, null]);
    expect(cells('2025-12-31T23:59:00Z')).toEqual([
      null,
      null,
      '2025-12-31T23:59:00Z',
      null,
      '60s',
    ]);
    expect(cells(undefined)).toEqual([null, null, null, null, null]);
    expect(cells({ a: 1 })[2]).toBe('{"a":1}');
  });

  it('is empty where its path leads nowhere', () => {
    const columns = ['.v[7]', '.v[?(@.x=="y")].z', '.v.w'].map((jsonPath) => ({
      ...{ name: jsonPath, type: 'string', jsonPath },
    }));
    const kind = kindOf(
      anObject(
        CustomResourceDefinition,
        definition({
          versions: [{ ...version, schema: anyValue, additionalPrinterColumns: columns }],
        }),
      ),
    );
    const object = anObject(kind, { metadata: { name: 'a' }, v: ['x'] } as never);
    expect(kind.columns.map(({ of }) => of(object, 0))).toEqual([null, null, null]);
  });
});
