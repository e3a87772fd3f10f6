import { describe, expect, it } from 'vitest';
import { ConfigMap } from '../../../../api/config-map.ts';
import type { AnyObject } from '../../../../api/kind.ts';
import {
  encodeBookmark,
  encodeEvent,
  eventOf,
  sharedEncoder,
} from '../../../../controller/apiserver/watch-events.ts';

const map = (app: string, resourceVersion: string): AnyObject => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: {
    name: 'x',
    namespace: 'default',
    uid: 'u',
    labels: { app },
    resourceVersion,
    creationTimestamp: '2026-01-01T00:00:00Z',
  },
});

const isWeb = ({ metadata }: AnyObject) => metadata.labels?.app === 'web';

const change = (previous: AnyObject | undefined, object: AnyObject | undefined) => ({
  kind: ConfigMap,
  key: { namespace: 'default', name: 'x' },
  revision: 5,
  previous,
  object,
});

describe('eventOf', () => {
  const web = map('web', '4');
  const db = map('db', '5');
  it.each([
    ['begins to be', undefined, web, { type: 'ADDED', object: web }],
    ['begins to match', db, web, { type: 'ADDED', object: web }],
    ['changes', map('web', '3'), web, { type: 'MODIFIED', object: web }],
    ['is removed', web, undefined, { type: 'DELETED', object: web }],
    ['ends to match', web, db, { type: 'DELETED', object: map('web', '5') }],
    ['never matched', db, map('db', '6'), undefined],
    ['is removed without having matched', db, undefined, undefined],
  ] as const)('of an object that %s', (...[, previous, object, expected]) => {
    expect(eventOf(change(previous, object), isWeb)).toEqual(expected);
  });
});

describe('encoding', () => {
  const encoding = { kind: ConfigMap, format: { as: 'object' }, now: 0 } as const;

  it('is a line of JSON', () => {
    const object = map('web', '4');
    const line = encodeEvent({ type: 'ADDED', object }, encoding).toString();
    expect(line.endsWith('\n')).toBe(true);
    expect(JSON.parse(line)).toEqual({ type: 'ADDED', object });
  });

  it('is done once for all watches that are told', () => {
    const one = change(undefined, map('web', '4'));
    const event = { type: 'ADDED', object: map('web', '4') } as const;
    const encodeShared = sharedEncoder();
    const first = encodeShared(one, event, encoding);
    expect(encodeShared(one, event, encoding)).toBe(first);
    expect(encodeShared({ ...one }, event, encoding)).not.toBe(first);
    const metadata = { ...encoding, format: { as: 'metadata' } } as const;
    expect(JSON.parse(encodeShared(one, event, metadata).toString()).object.kind).toBe(
      'PartialObjectMetadata',
    );
  });

  it('gives bookmarks the kind that is watched', () => {
    expect(JSON.parse(encodeBookmark(encoding, 7))).toEqual({
      type: 'BOOKMARK',
      object: {
        kind: 'ConfigMap',
        apiVersion: 'v1',
        metadata: { resourceVersion: '7', creationTimestamp: null },
      },
    });
  });
});
