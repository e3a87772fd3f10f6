import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Deployment } from '../../../../../api/deployment.ts';
import { isObject } from '../../../../../api/normalize.ts';
import { parseObject } from '../../../../../api/prepare.ts';
import { Service } from '../../../../../api/service.ts';
import { StatusError } from '../../../../../api/status.ts';
import { applyMergePatch } from '../../../../../controller/apiserver/patch/merge-patch.ts';
import { applyServerSide } from '../../../../../controller/apiserver/patch/server-side-apply.ts';
import { applyStrategicMergePatch } from '../../../../../controller/apiserver/patch/strategic-merge.ts';

const runs = { numRuns: 300 };
const plain = { noNullPrototype: true };
const word = fc.constantFrom('a', 'b', 'c', 'd');

describe('a merge patch', () => {
  it('applied twice is applied once, and applied to nothing leaves no null', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (target, patch) => {
        const once = applyMergePatch(target, patch);
        expect(applyMergePatch(once, patch)).toEqual(once);
      }),
      runs,
    );
  });

  it('two of different fields may come in any order', () => {
    const fields = (names: readonly string[]) =>
      fc.dictionary(fc.constantFrom(...names), fc.oneof(fc.constant(null), word));
    fc.assert(
      fc.property(
        fields(['a', 'b', 'c', 'd']),
        fields(['a', 'b']),
        fields(['c', 'd']),
        (t, p, q) => {
          const [one, other] = [
            applyMergePatch(applyMergePatch(t, p), q),
            applyMergePatch(applyMergePatch(t, q), p),
          ];
          expect(one).toEqual(other);
        },
      ),
      runs,
    );
  });
});

const named = <T>(fields: fc.Arbitrary<T>) =>
  fc
    .uniqueArray(word, { maxLength: 4 })
    .chain((names) => fc.tuple(...names.map((name) => fields.map((more) => ({ name, ...more })))));
const env = named(fc.record({ value: word }));
const containers = named(
  fc.record(
    { image: word, env, args: fc.array(word, { maxLength: 2 }) },
    { requiredKeys: ['image'] },
  ),
);
const spec = fc.record(
  { containers, nodeSelector: fc.dictionary(word, word, plain) },
  { requiredKeys: ['containers'] },
);
const whole = (podSpec: object) => ({ spec: { template: { spec: podSpec } } });

/** Entries changed, gone, replaced, put in order; maps replaced; fields taken away. */
const strategic = fc
  .record(
    {
      containers: named(
        fc.oneof(
          {
            weight: 4,
            arbitrary: fc.record(
              { image: word, env, args: fc.constant(null) },
              { requiredKeys: [] },
            ),
          },
          { weight: 1, arbitrary: fc.constant({ $patch: 'delete' }) },
        ),
      ),
      replaced: fc.boolean(),
      order: fc.uniqueArray(word),
      nodeSelector: fc.oneof(
        fc.dictionary(word, fc.oneof(word, fc.constant(null))),
        fc.dictionary(word, word, plain).map((map) => ({ ...map, $patch: 'replace' })),
        fc.constant(null),
      ),
    },
    { requiredKeys: [] },
  )
  .map(({ containers: items, replaced, order, nodeSelector }) => ({
    ...(items && { containers: replaced ? [...items, { $patch: 'replace' }] : items }),
    ...(order && { '$setElementOrder/containers': order.map((name) => ({ name })) }),
    ...(nodeSelector !== undefined && { nodeSelector }),
  }));

describe('a strategic merge patch', () => {
  const patched = (live: unknown, patch: object) =>
    applyStrategicMergePatch(Deployment.schema, live, whole(patch));

  it('applied twice is applied once', () => {
    fc.assert(
      fc.property(spec, strategic, (live, patch) => {
        const once = patched(whole(live), patch);
        expect(patched(once, patch)).toEqual(once);
      }),
      runs,
    );
  });

  it('leaves no directive and no null in what is stored', () => {
    fc.assert(
      fc.property(spec, strategic, (live, patch) => {
        expect(JSON.stringify(patched(whole(live), patch))).not.toMatch(/"\$|null/);
      }),
      runs,
    );
  });

  it('of ten thousand entries that are told apart by their second key is refused in no time', () => {
    const ports = Array.from({ length: 10_000 }, (_, i) => ({ port: 80, protocol: `p${i}` }));
    const start = performance.now();
    expect(() => applyStrategicMergePatch(Service.schema, {}, { spec: { ports } })).toThrow(
      'too many entries of one port',
    );
    expect(performance.now() - start).toBeLessThan(2_000);
  });

  it('of ten thousand entries takes no seconds', () => {
    const many = (prefix: string) =>
      Array.from({ length: 10_000 }, (_, i) => ({ name: `${prefix}${i}`, value: 'x' }));
    const of = (list: readonly object[]) => ({ containers: [{ name: 'a', env: list }] });
    const start = performance.now();
    const patch = {
      containers: [{ ...of(many('b')).containers[0], '$setElementOrder/env': many('a') }],
    };
    patched(whole(of(many('a'))), patch);
    expect(performance.now() - start).toBeLessThan(2_000);
  });
});

describe('server-side apply', () => {
  const time = '2026-01-01T00:00:00Z';
  const apply = (live: unknown, by: string, applied: unknown, force = true) =>
    applyServerSide(
      { kind: Deployment, manager: by, operation: 'Apply', subresource: '', time },
      { live, applied, force },
    );
  const specOf = (object: unknown) =>
    (object as { spec?: { template?: { spec?: object } } }).spec?.template?.spec ?? {};
  /** As sets, for the order of entries that came from two is not promised; what is empty may as well not be there. */
  const unordered = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map((one) => JSON.stringify(unordered(one))).sort();
    if (!isObject(value)) return value;
    const entries = Object.entries(value).filter(([, inner]) => !isEmpty(inner));
    return Object.fromEntries(
      entries.map(([name, inner]): [string, unknown] => [name, unordered(inner)]).sort(byName),
    );
  };
  const byName = ([a]: [string, unknown], [b]: [string, unknown]) => (a < b ? -1 : 1);
  const isEmpty = (value: unknown) =>
    typeof value === 'object' && value !== null && Object.keys(value).length === 0;

  it('of the same again changes nothing, later and without force too', () => {
    fc.assert(
      fc.property(spec, spec, (theirs, ours) => {
        const once = apply(apply(undefined, 'bob', whole(theirs)), 'alice', whole(ours));
        expect(apply(once, 'alice', whole(ours), false)).toEqual(once);
      }),
      runs,
    );
  });

  it('has a conflict for each field that another one wants otherwise, and by force takes just those', () => {
    const of = (nodeSelector: object) => whole({ containers: [], nodeSelector });
    const map = fc.dictionary(word, word, plain);
    const conflicts = (attempt: () => unknown) => {
      try {
        attempt();
        return [];
      } catch (error) {
        if (!(error instanceof StatusError)) throw error;
        return error.details.causes?.map(({ field }) => field?.at(-1)).sort();
      }
    };
    fc.assert(
      fc.property(map, map, (theirs, ours) => {
        const first = apply(undefined, 'bob', of(theirs));
        const contested = Object.keys(ours)
          .filter((key) => key in theirs && theirs[key] !== ours[key])
          .sort();
        expect(conflicts(() => apply(first, 'alice', of(ours), false))).toEqual(contested);
        const taken = apply(first, 'alice', of(ours));
        expect(unordered(specOf(taken))).toEqual(
          unordered({ nodeSelector: { ...theirs, ...ours } }),
        );
        expect(conflicts(() => apply(taken, 'bob', of(theirs), false))).toEqual(contested);
        const left = apply(taken, 'bob', of({}), false);
        expect(unordered(specOf(left))).toEqual(unordered({ nodeSelector: ours }));
      }),
      runs,
    );
  });

  it('by the only owner, of less, removes the rest and nothing else', () => {
    fc.assert(
      fc.property(spec, spec, (before, after) => {
        const first = apply(undefined, 'alice', whole(before));
        const live = { ...(first as object), status: { replicas: 3 } };
        const second = apply(live, 'alice', whole(after));
        expect(unordered(specOf(second))).toEqual(unordered(after));
        expect(second).toMatchObject({ status: { replicas: 3 } });
      }),
      runs,
    );
  });

  it('of different fields by two managers comes to the same in either order, and each can leave', () => {
    const mine = fc.record({
      containers,
      nodeSelector: fc.dictionary(fc.constantFrom('a', 'b'), word, plain),
    });
    fc.assert(
      fc.property(
        mine,
        fc.dictionary(fc.constantFrom('c', 'd'), word, plain),
        word,
        (left, keys, image) => {
          const right = { nodeSelector: keys, containers: [{ name: 'other', image }] };
          const one = apply(apply(undefined, 'alice', whole(left)), 'bob', whole(right), false);
          const other = apply(apply(undefined, 'bob', whole(right)), 'alice', whole(left), false);
          expect(unordered(specOf(one))).toEqual(unordered(specOf(other)));
          const alone = specOf(apply(one, 'bob', {}, false));
          expect(unordered(alone)).toEqual(unordered(left));
        },
      ),
      runs,
    );
  });

  it('gives what its own kind can read, managers included', () => {
    const selector = { matchLabels: { a: 'b' } };
    fc.assert(
      fc.property(containers, (some) => {
        const template = { metadata: { labels: { a: 'b' } }, spec: { containers: some } };
        const wanted = { metadata: { name: 'x', namespace: 'x' }, spec: { selector, template } };
        const parsed = parseObject(Deployment, apply(undefined, 'alice', wanted));
        if ('errors' in parsed)
          for (const { path } of parsed.errors) expect(path).not.toContain('managedFields');
      }),
      runs,
    );
  });

  it('of ten thousand entries that two managers want takes no seconds', () => {
    const list = (value: string) =>
      Array.from({ length: 10_000 }, (_, i) => ({ name: `a${i}`, value }));
    const of = (value: string) => whole({ containers: [{ name: 'a', env: list(value) }] });
    const start = performance.now();
    const both = apply(apply(undefined, 'alice', of('x')), 'bob', of('x'));
    apply(both, 'bob', of('y'));
    expect(performance.now() - start).toBeLessThan(3_000);
  });
});
