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

  it('copies within a large object in no time', () => {
    const large = { ...object, data: 'x'.repeat(1_000_000) };
    const copy = { op: 'copy', from: '/list/0', path: '/list/-' };
    const startMs = performance.now();
    applyJsonPatch(large, Array(10_000).fill(copy));
    expect(performance.now() - startMs).toBeLessThan(1_000);
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

  it.each<[string, object]>([
    ['adds below it', { op: 'add', path: '/__proto__/polluted', value: true }],
    ['adds to what is inherited', { op: 'add', path: '/toString/polluted', value: true }],
    ['adds to what a list inherits', { op: 'add', path: '/list/push/polluted', value: true }],
    ['replaces in what is inherited', { op: 'replace', path: '/toString/call', value: 1 }],
    ['takes it out', { op: 'move', from: '/__proto__', path: '/a' }],
    ['copies it', { op: 'copy', from: '/constructor', path: '/a' }],
    ['puts the whole into itself', { op: 'move', from: '', path: '/a' }],
    ['removes it', { op: 'remove', path: '/list/length' }],
    ['tests it', { op: 'test', path: '/constructor/name', value: 'Object' }],
  ])('cannot reach what all objects share: %s', (_, operation) => {
    const shared = [Object.prototype, Object.prototype.toString, Array.prototype.push];
    const before = shared.map((one) => Reflect.ownKeys(one));
    expect(() => applyJsonPatch(object, [operation])).toThrow(
      expect.objectContaining({ reason: 'Invalid' }),
    );
    expect(shared.map((one) => Reflect.ownKeys(one))).toEqual(before);
  });

  it('treats names that JavaScript knows like any other', () => {
    const names = ['__proto__', 'constructor', 'prototype', 'toString'];
    const patch = names.map((name) => ({ op: 'add', path: `/data/${name}`, value: name }));
    const more = [{ op: 'replace', path: '/data/constructor', value: 'x' }];
    expect(JSON.stringify(applyJsonPatch({ data: {} }, [...patch, ...more]))).toBe(
      '{"data":{"__proto__":"__proto__","constructor":"x","prototype":"prototype","toString":"toString"}}',
    );
  });

  /** RFC 6902, appendix A, but for what it leaves open. */
  it.each<[string, unknown, object, unknown]>([
    ['A.1', { foo: 'bar' }, { op: 'add', path: '/baz', value: 'qux' }, { foo: 'bar', baz: 'qux' }],
    [
      ...['A.2', { foo: ['bar', 'baz'] }, { op: 'add', path: '/foo/1', value: 'qux' }],
      { foo: ['bar', 'qux', 'baz'] },
    ] as const,
    ['A.3', { baz: 'qux', foo: 'bar' }, { op: 'remove', path: '/baz' }, { foo: 'bar' }],
    ['A.4', { foo: ['a', 'b', 'c'] }, { op: 'remove', path: '/foo/1' }, { foo: ['a', 'c'] }],
    ['A.5', { baz: 'a' }, { op: 'replace', path: '/baz', value: 'b' }, { baz: 'b' }],
    [
      ...(['A.6', { foo: { bar: 1, waldo: 'fred' }, qux: { corge: 2 } }] as const),
      ...([{ op: 'move', from: '/foo/waldo', path: '/qux/thud' }] as const),
      { foo: { bar: 1 }, qux: { corge: 2, thud: 'fred' } },
    ],
    [
      ...(['A.7', { foo: ['all', 'grass', 'cows', 'eat'] }] as const),
      ...([{ op: 'move', from: '/foo/1', path: '/foo/3' }] as const),
      { foo: ['all', 'cows', 'eat', 'grass'] },
    ],
    [
      'A.10',
      { foo: 'bar' },
      { op: 'add', path: '/a', value: { b: {} } },
      { foo: 'bar', a: { b: {} } },
    ],
    ['A.14', { '/': 9, '~1': 10 }, { op: 'test', path: '/~01', value: 10 }, { '/': 9, '~1': 10 }],
    [
      'A.16',
      { foo: ['bar'] },
      { op: 'add', path: '/foo/-', value: ['a'] },
      { foo: ['bar', ['a']] },
    ],
    ['the whole', { foo: 1 }, { op: 'replace', path: '', value: { bar: 2 } }, { bar: 2 }],
  ])('does as the example says: %s', (_, document, operation, expected) => {
    expect(applyJsonPatch(document, [operation])).toEqual(expected);
  });

  it.each<[string, object]>([
    ['A.9: another value', { op: 'test', path: '/foo', value: 'bar' }],
    ['A.12: no such parent', { op: 'add', path: '/baz/bat', value: 'qux' }],
    ['A.15: a string is no number', { op: 'test', path: '/n', value: '10' }],
    ['no such place', { op: 'add', path: '/foo/3', value: 1 }],
    ['no index', { op: 'add', path: '/foo/01', value: 1 }],
    ['nothing behind the end', { op: 'remove', path: '/foo/-' }],
    ['into itself', { op: 'move', from: '/foo', path: '/foo/0' }],
  ])('refuses what does not fit: %s', (_, operation) => {
    expect(() => applyJsonPatch({ foo: ['a', 'b'], n: 10 }, [operation])).toThrow(
      expect.objectContaining({ reason: 'Invalid' }),
    );
  });
});
