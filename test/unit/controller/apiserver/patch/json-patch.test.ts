import { describe, expect, it } from 'vitest';
import { applyJsonPatch } from '../../../../../controller/apiserver/patch/json-patch.ts';

const object = { metadata: { labels: { 'a/b': 'x' } }, list: [1, 2, 3] };

describe('a JSON patch', () => {
  it.each<[string, object[], unknown]>([
    ['adds', [{ op: 'add', path: '/list/1', value: 9 }], { ...object, list: [1, 9, 2, 3] }],
    ['appends', [{ op: 'add', path: '/list/-', value: 4 }], { ...object, list: [1, 2, 3, 4] }],
    [
      'replaces by an escaped path',
      [{ op: 'replace', path: '/metadata/labels/a~1b', value: 'y' }],
      { ...object, metadata: { labels: { 'a/b': 'y' } } },
    ],
    ['removes', [{ op: 'remove', path: '/metadata' }], { list: [1, 2, 3] }],
    [
      'tests and moves',
      [
        { op: 'test', path: '/list/0', value: 1 },
        { op: 'move', from: '/list', path: '/l' },
      ],
      {
        metadata: object.metadata,
        l: [1, 2, 3],
      },
    ],
  ])('%s', (_, patch, expected) => {
    expect(applyJsonPatch(object, patch)).toEqual(expected);
  });

  it.each<[string, unknown, string]>([
    ['has pointers', [{ op: 'add', path: 'a', value: 1 }], 'BadRequest'],
    ['is a list', {}, 'BadRequest'],
    ['has operations', [{ op: 'frobnicate', path: '/a' }], 'BadRequest'],
    ['has values', [{ op: 'add', path: '/a' }], 'BadRequest'],
    ['finds what it removes', [{ op: 'remove', path: '/none' }], 'Invalid'],
    ['agrees with what it tests', [{ op: 'test', path: '/list/0', value: 2 }], 'Invalid'],
    [
      'is short',
      Array.from({ length: 10_001 }, () => ({ op: 'remove', path: '/a' })),
      'RequestEntityTooLarge',
    ],
    [
      'does not double without end',
      Array.from({ length: 64 }, () => ({ op: 'copy', from: '', path: '/list/-' })),
      'RequestEntityTooLarge',
    ],
  ])('%s, or is refused', (_, patch, reason) => {
    expect(() => applyJsonPatch(object, patch)).toThrow(expect.objectContaining({ reason }));
  });

  it('leaves the object alone when its last operation fails', () => {
    const before = structuredClone(object);
    const patch = [
      { op: 'remove', path: '/list' },
      { op: 'remove', path: '/list' },
    ];
    expect(() => applyJsonPatch(object, patch)).toThrow('patch operation 1 (remove /list)');
    expect(object).toEqual(before);
  });

  it('cannot reach what all objects share', () => {
    const patch = [{ op: 'add', path: '/__proto__/polluted', value: true }];
    try {
      applyJsonPatch({}, patch);
    } catch (error) {
      expect(error).toMatchObject({ reason: 'Invalid' });
    }
    expect(Object.hasOwn(Object.prototype, 'polluted')).toBe(false);
  });
});
