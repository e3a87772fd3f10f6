import { type AnyObject, apiVersionOf, type Kind } from '../../api/kind.ts';
import type { OwnerReference } from '../../api/object-meta.ts';
import { settled } from '../../base/run-reconciler.ts';
import type { Cache, Index, ObjectChange } from '../store/cache.ts';
import { keyOf, keyParser, storeKey } from '../store/keys.ts';
import type { Loop, LoopDeps } from '../store/loop.ts';
import type { Objects } from '../store/objects.ts';
import { type GarbageAction, planGarbage } from './garbage-plan.ts';

/** Takes what has lost its owners; and before an owner goes, what it was asked to take along or leave behind. */
export interface GarbageCollector {
  readonly loop: Loop;
  readonly indexes: readonly Index[];
}

export function garbageCollector(kinds: readonly Kind[]): GarbageCollector {
  const indexes = kinds.map(byOwner);
  const parse = keyParser(kinds);
  const family: Family = { kinds, indexes };
  return {
    indexes,
    loop: {
      name: 'garbage-collector',
      workers: 8,
      wakes: (change, cache) => wakes(family, change, cache),
      async reconcile(key, deps) {
        const parsed = parse(key);
        const object = parsed && deps.cache.get(parsed.kind, parsed.key);
        if (parsed && object) await collect(family, { kind: parsed.kind, object }, deps);
        return settled;
      },
    },
  };
}

interface Family {
  readonly kinds: readonly Kind[];
  readonly indexes: readonly Index[];
}

interface Member {
  readonly kind: Kind;
  readonly object: AnyObject;
}

function byOwner(kind: Kind): Index {
  return {
    name: `${kind.plural} by owner`,
    kind,
    valuesOf: ({ metadata }) => (metadata.ownerReferences ?? []).map(({ uid }) => uid),
  };
}

function wakes(family: Family, change: ObjectChange, cache: Cache): readonly string[] {
  const { kind, object, previous } = change;
  const own = storeKey(kind, change.key);
  const isOwned = object?.metadata.ownerReferences !== undefined;
  const waiting = waitingOwners(family, change, cache).map(memberKey);
  if (object && !object.metadata.deletionTimestamp) return isOwned ? [own, ...waiting] : waiting;
  const { uid = '' } = (object ?? previous)?.metadata ?? {};
  return [own, ...dependentsOf(family, uid, cache).map(memberKey), ...waiting];
}

/** Owners that go once this dependent has gone or is on its own. */
function waitingOwners(family: Family, change: ObjectChange, cache: Cache): readonly Member[] {
  const { namespace } = change.key;
  return (change.previous?.metadata.ownerReferences ?? [])
    .flatMap((reference) => ownerOf(family, reference, { cache, namespace }) ?? [])
    .filter(({ object }) => object.metadata.deletionTimestamp !== undefined);
}

const memberKey = ({ kind, object }: Member) => storeKey(kind, keyOf(object));

function dependentsOf({ indexes }: Family, uid: string, cache: Cache): readonly Member[] {
  return indexes.flatMap((index) =>
    cache.byIndex(index, uid).map((object) => ({ kind: index.kind, object })),
  );
}

/** An owner is in the dependent's namespace, or has none. */
function ownerOf(
  { kinds }: Family,
  { apiVersion, kind: kindName, name, uid }: OwnerReference,
  { cache, namespace }: { readonly cache: Cache; readonly namespace: string },
): Member | undefined {
  const kind = kinds.find(
    (candidate) => candidate.kind === kindName && apiVersionOf(candidate) === apiVersion,
  );
  const object = kind && cache.get(kind, { namespace: kind.namespaced ? namespace : '', name });
  return kind && object?.metadata.uid === uid ? { kind, object } : undefined;
}

async function collect(family: Family, member: Member, deps: LoopDeps): Promise<void> {
  const { cache, objects } = deps;
  const { namespace = '', uid } = member.object.metadata;
  const dependents = dependentsOf(family, uid, cache);
  const action = planGarbage({
    object: member.object,
    ownerOf: (reference) => ownerOf(family, reference, { cache, namespace })?.object,
    dependents: dependents.map(({ object }) => object),
  });
  await apply({ action, member, dependents, family }, objects, cache);
}

interface Step {
  readonly action: GarbageAction;
  readonly member: Member;
  readonly dependents: readonly Member[];
  readonly family: Family;
}

async function apply(step: Step, objects: Objects, cache: Cache): Promise<void> {
  const { action, member, dependents, family } = step;
  const { kind, object } = member;
  const { uid, resourceVersion } = object.metadata;
  switch (action.kind) {
    case 'none':
      return;
    case 'delete': {
      const preconditions = { uid, resourceVersion };
      const { propagationPolicy } = action;
      await objects.delete(kind, keyOf(object), { propagationPolicy, preconditions });
      return;
    }
    case 'keep-references':
      await writeReferences(objects, member, action.references);
      return;
    case 'remove-finalizer': {
      const finalizers = (object.metadata.finalizers ?? []).filter((f) => f !== action.finalizer);
      const metadata = { ...object.metadata, finalizers };
      await objects.update(kind, { ...object, metadata }, 'all');
      return;
    }
    case 'delete-dependents':
      for (const dependent of dependents.filter((d) => action.dependents.includes(d.object))) {
        const own = dependentsOf(family, dependent.object.metadata.uid, cache);
        const propagationPolicy = own.length > 0 ? 'Foreground' : 'Background';
        const preconditions = { uid: dependent.object.metadata.uid };
        const key = keyOf(dependent.object);
        await objects.delete(dependent.kind, key, { propagationPolicy, preconditions });
      }
      return;
    case 'disown':
      for (const dependent of dependents) {
        const references = dependent.object.metadata.ownerReferences ?? [];
        const others = references.filter((reference) => reference.uid !== uid);
        await writeReferences(objects, dependent, others);
      }
      return;
  }
}

function writeReferences(
  objects: Objects,
  { kind, object }: Member,
  ownerReferences: readonly OwnerReference[],
) {
  const metadata = { ...object.metadata, ownerReferences };
  return objects.update(kind, { ...object, metadata }, 'main');
}
