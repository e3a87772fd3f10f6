import { describe, expect, it } from 'vitest';
import { ConfigMap } from '../../../../api/config-map.ts';
import type { AnyObject } from '../../../../api/kind.ts';
import { objectsAt, pageOf, parseToken } from '../../../../controller/apiserver/list-page.ts';
import type { Cache, ObjectChange } from '../../../../controller/store/cache.ts';

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
  const objects = ['c', 'a', 'b'].map((name) => map(name, 1));

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

describe('objectsAt', () => {
  const change = (
    key: string,
    revision: number,
    [previous, object]: readonly [AnyObject | undefined, AnyObject | undefined],
  ): ObjectChange => ({
    kind: ConfigMap,
    key: { namespace: 'default', name: key },
    revision,
    object,
    previous,
  });
  const cacheWith = (today: readonly AnyObject[], changes: readonly ObjectChange[] | undefined) =>
    ({ revision: 9, list: () => today, changesSince: () => changes }) as Partial<Cache> as Cache;
  const of = { kind: ConfigMap, namespace: '' };

  it('undoes what happened since', () => {
    const today = [map('kept', 1), map('changed', 8), map('new', 9)];
    const cache = cacheWith(today, [
      change('changed', 6, [map('changed', 2), map('changed', 6)]),
      change('gone', 7, [map('gone', 3), undefined]),
      change('changed', 8, [map('changed', 6), map('changed', 8)]),
      change('new', 9, [undefined, map('new', 9)]),
    ]);
    expect(objectsAt(cache, of, 5)).toEqual([map('kept', 1), map('changed', 2), map('gone', 3)]);
  });

  it('says Expired when the changes are forgotten', () => {
    expect(() => objectsAt(cacheWith([], undefined), of, 5)).toThrow(/too old/);
  });
});
