import { apiVersionOf } from '../../api/kind.ts';
import type { OwnerReference } from '../../api/object-meta.ts';
import { keyOf, parseStoreKey, storeKey } from '../store/keys.ts';
import type { Loop, LoopDeps } from '../store/loop.ts';
import type { Cache, Index, ObjectChange } from '../store/objects.ts';
import { planGarbage } from './garbage-plan.ts';
import { type Member, writeReferences } from './ownership.ts';

/** Takes what has lost its owners; and before an owner goes, what it was asked to take along or leave behind. */
export const garbageCollector: Loop = {
  name: 'garbage-collector',
  workers: 8,
  wakes,
  async reconcile(key, deps) {
    const parsed = parseStoreKey(deps.cache.kinds, key);
    const object = parsed && deps.cache.get(parsed.kind, parsed.key);
    if (parsed && object) await collect({ kind: parsed.kind, object }, deps);
  },
};

/** Of all kinds. */
export const objectsByOwner: Index = {
  name: 'objects by owner',
  valuesOf: ({ metadata }) => (metadata.ownerReferences ?? []).map(({ uid }) => uid),
};

function wakes(change: ObjectChange, cache: Cache): readonly string[] {
  const { kind, object, previous } = change;
  const own = storeKey(kind, change.key);
  const isOwned = object?.metadata.ownerReferences !== undefined;
  const waiting = waitingOwners(change, cache).map(memberKey);
  if (object && !object.metadata.deletionTimestamp) return isOwned ? [own, ...waiting] : waiting;
  const { uid = '' } = (object ?? previous)?.metadata ?? {};
  return [own, ...dependentsOf(uid, cache).map(memberKey), ...waiting];
}

/** Owners that go once this dependent has gone or is on its own. */
function waitingOwners(change: ObjectChange, cache: Cache): readonly Member[] {
  const { namespace } = change.key;
  return (change.previous?.metadata.ownerReferences ?? [])
    .flatMap((reference) => ownerOf(reference, { cache, namespace }) ?? [])
    .filter(({ object }) => object.metadata.deletionTimestamp !== undefined);
}

const memberKey = ({ kind, object }: Member) => storeKey(kind, keyOf(object));

const dependentsOf = (uid: string, cache: Cache): readonly Member[] =>
  cache.byIndex(objectsByOwner, uid).flatMap((object) => {
    const kind = kindOf(object, cache);
    return kind ? [{ kind, object }] : [];
  });

const kindOf = (named: { readonly apiVersion: string; readonly kind: string }, { kinds }: Cache) =>
  kinds.all.find((one) => one.kind === named.kind && apiVersionOf(one) === named.apiVersion);

/** An owner is in the dependent's namespace, or has none. */
function ownerOf(
  reference: OwnerReference,
  { cache, namespace }: { readonly cache: Cache; readonly namespace: string },
): Member | undefined {
  const { name, uid } = reference;
  const kind = kindOf(reference, cache);
  const object = kind && cache.get(kind, { namespace: kind.namespaced ? namespace : '', name });
  return kind && object?.metadata.uid === uid ? { kind, object } : undefined;
}

async function collect(member: Member, { cache, objects }: LoopDeps) {
  const { kind, object } = member;
  const { namespace = '', uid, resourceVersion } = object.metadata;
  const dependents = dependentsOf(uid, cache);
  const action = planGarbage({
    object,
    ownerOf(reference) {
      const ownerKind = kindOf(reference, cache);
      // What is in no namespace can't be owned by what is in one.
      if (!ownerKind || (ownerKind.namespaced && namespace === '')) return 'unknown';
      return ownerOf(reference, { cache, namespace })?.object;
    },
    dependents: dependents.map((dependent) => dependent.object),
  });
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
    case 'disown':
      for (const dependent of dependents) {
        const references = dependent.object.metadata.ownerReferences ?? [];
        const others = references.filter((reference) => reference.uid !== uid);
        await writeReferences(objects, dependent, others);
      }
      return;
  }
}
