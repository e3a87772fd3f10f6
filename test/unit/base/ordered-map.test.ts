import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { orderedMap } from '../../../base/ordered-map.ts';

const keys = fc.string({ unit: fc.constantFrom('a', 'b', '/'), maxLength: 4 });
const steps = fc.array(fc.record({ key: keys, remove: fc.boolean() }), { maxLength: 60 });

describe('an ordered map', () => {
  it('holds what a plain map holds, in order of keys', () => {
    fc.assert(
      fc.property(steps, keys, fc.option(keys, { nil: undefined }), (changes, prefix, after) => {
        const model = new Map<string, number>();
        const map = orderedMap<number>();
        for (const [i, { key, remove }] of changes.entries()) {
          if (remove) expect(map.delete(key)).toBe(model.delete(key));
          else {
            map.set(key, i);
            model.set(key, i);
          }
        }
        const expected = [...model]
          .filter(([key]) => key.startsWith(prefix) && (after === undefined || key > after))
          .sort(([a], [b]) => (a < b ? -1 : 1))
          .map(([, value]) => value);
        expect([...map.startingWith(prefix, after)]).toEqual(expected);
        expect(map.size).toBe(model.size);
      }),
    );
  });
});
