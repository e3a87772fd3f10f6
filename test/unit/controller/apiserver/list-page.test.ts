import { describe, expect, it } from 'vitest';
import { ConfigMap } from '../../../../api/config-map.ts';
import type { AnyObject } from '../../../../api/kind.ts';
import { objectsBefore, pageOf, parseToken } from '../../../../controller/apiserver/list-page.ts';
import type { ObjectChange } from '../../../../controller/store/objects.ts';

const map = (name: string, revision: number): AnyObject => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: {
    name,
    namespace: 'default',
    uid: name,
    resourceVersion: String(revision),
    creationTimestamp: '2026-01-01T00:00:00Z',
  },
});

const names = (objects: readonly AnyObject[]) => objects.map(({ metadata }) => metadata.name);

describe('pageOf', () => {
  const objects = ['a', 'b', 'c'].map((name) => map(name, 1));

  it('cuts a list into pages that together are the list', () => {
    const first = pageOf(objects, 7, { limit: 2, after: undefined });
    expect({ names: names(first.objects), remaining: first.remaining }).toEqual({
      names: ['a', 'b'],
      remaining: 1,
    });
    const token = parseToken(first.continueToken);
    expect(token).toEqual({ revision: 7, after: { namespace: 'default', name: 'b' } });
    const second = pageOf(objects, 7, { limit: 2, after: token.after });
    expect([names(second.objects), second.continueToken]).toEqual([['c'], '']);
  });

  it('has nothing behind the end', () => {
    const after = { namespace: 'default', name: 'z' };
    expect(pageOf(objects, 7, { limit: 2, after }).objects).toEqual([]);
  });
});

describe('parseToken', () => {
  it.each(['', 'rubbish', Buffer.from('{}').toString('base64url')])('refuses %j', (text) => {
    expect(() => parseToken(text)).toThrow('continue key is not valid');
  });
});

it('undoes changes, the first of each object last, and keeps the order of names', () => {
  const change = (
    name: string,
    previous: AnyObject | undefined,
    object: AnyObject | undefined,
  ): ObjectChange => ({
    kind: ConfigMap,
    key: { namespace: 'default', name },
    revision: Number(object?.metadata.resourceVersion ?? 7),
    object,
    previous,
  });
  const today = [map('kept', 1), map('changed', 8), map('new', 9)];
  const changes = [
    change('changed', map('changed', 2), map('changed', 6)),
    change('gone', map('gone', 3), undefined),
    change('changed', map('changed', 6), map('changed', 8)),
    change('new', undefined, map('new', 9)),
  ];
  expect(objectsBefore(today, changes)).toEqual([
    map('changed', 2),
    map('gone', 3),
    map('kept', 1),
  ]);
});
