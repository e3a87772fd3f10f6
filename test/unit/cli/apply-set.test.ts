import { describe, expect, it } from 'vitest';
import { ConfigMap } from '../../../api/config-map.ts';
import type { Kind } from '../../../api/kind.ts';
import { Namespace } from '../../../api/namespace.ts';
import { Secret } from '../../../api/secret.ts';
import { Service } from '../../../api/service.ts';
import {
  applySetId,
  emptied,
  type Member,
  planPrune,
  withMembers,
} from '../../../cli/apply-set.ts';

const ref = (kind: Kind, name: string, namespace = 'shop') => ({
  ...{ kind, name, namespace: kind.namespaced ? namespace : '' },
});

const member = (kind: Kind, name: string, deletionTimestamp?: string): Member => ({
  ref: ref(kind, name),
  object: {
    apiVersion: 'v1',
    kind: kind.kind,
    metadata: { name, uid: name, resourceVersion: '1', creationTimestamp: '', deletionTimestamp },
  },
});

const names = (members: readonly Member[]) =>
  members.map(({ ref }) => `${ref.kind.kind}/${ref.name}`);

describe('what is pruned', () => {
  it('is what the set holds and nobody describes any more', () => {
    const members = [member(ConfigMap, 'a'), member(ConfigMap, 'b'), member(Service, 'a')];
    expect(names(planPrune(members, [ref(ConfigMap, 'a')]))).toEqual(['Service/a', 'ConfigMap/b']);
    expect(
      planPrune(
        members,
        members.map(({ ref }) => ref),
      ),
    ).toEqual([]);
  });

  it('is told apart by namespace and kind, not by name alone', () => {
    const wanted = [ref(ConfigMap, 'a', 'other'), ref(Secret, 'a')];
    expect(names(planPrune([member(ConfigMap, 'a')], wanted))).toEqual(['ConfigMap/a']);
  });

  it('leaves alone what is going already, and takes a namespace last', () => {
    const going = member(ConfigMap, 'going', '2026-01-01T00:00:00Z');
    const members = [member(Namespace, 'shop'), going, member(ConfigMap, 'a')];
    expect(names(planPrune(members, []))).toEqual(['ConfigMap/a', 'Namespace/shop']);
  });
});

it('remembers where members may be until the old ones are gone', () => {
  const parent = ref(Secret, 'set');
  const old = { parent, id: 'x', kinds: [Service], namespaces: ['shop'] };
  const refs = [ref(ConfigMap, 'a', 'more'), ref(ConfigMap, 'b', 'more')];
  expect(withMembers(old, refs)).toEqual({
    ...old,
    ...{ kinds: [Service, ConfigMap], namespaces: ['shop', 'more'] },
  });
  expect(withMembers(emptied(old), refs)).toMatchObject({
    ...{ kinds: [ConfigMap], namespaces: ['more'] },
  });
});

it('has the ID that kubectl gives a set of that name', () => {
  // Read from what kubectl 1.33 --applyset=ks made.
  const id = 'applyset-goXR63vdzOXsmv7bJ5Cx7DE-N33SZkc68YMiIMz3Hks-v1';
  expect(applySetId(ref(Secret, 'ks', 'default'))).toBe(id);
});
