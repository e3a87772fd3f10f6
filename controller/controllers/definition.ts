import { type Condition, conditionOf, withCondition } from '../../api/condition.ts';
import { CustomResourceDefinition, isEstablished } from '../../api/custom-resource-definition.ts';
import { formatTime } from '../../base/clock.ts';
import { cleanupFinalizer } from '../store/deletion.ts';
import { keyOf } from '../store/keys.ts';
import type { Loop, LoopDeps } from '../store/loop.ts';
import type { Cache, ObjectChange, ServedKinds } from '../store/objects.ts';

/** Lets definitions take up the names that nobody has, and takes their objects along. The key is the definition's name. */
export const definitionLoop: Loop = {
  name: 'definition-controller',
  // One after the other: of two that want the same name one gets it.
  workers: 1,
  wakes,
  async reconcile(name, deps) {
    const definition = deps.cache.get(CustomResourceDefinition, { namespace: '', name });
    if (definition?.metadata.deletionTimestamp) await empty(definition, deps);
    else if (definition) await accept(definition, deps);
  },
};

/** What waited for names looks again with every definition that changes. */
function wakes({ kind, key, object }: ObjectChange, cache: Cache): readonly string[] {
  if (kind.defined) return object ? [] : [`${kind.plural}.${kind.group}`];
  if (kind !== CustomResourceDefinition) return [];
  const waiting = cache
    .list(CustomResourceDefinition)
    .filter((one) => conditionOf(one, 'NamesAccepted')?.status === 'False');
  return [key.name, ...waiting.map(({ metadata }) => metadata.name)];
}

async function accept(definition: CustomResourceDefinition, { cache, clock, objects }: LoopDeps) {
  const { spec, status } = definition;
  const conflict = conflictOf(definition, cache.kinds);
  const now = formatTime(clock.now());
  const named = withCondition<Condition>(
    status.conditions,
    conflict ?? said('NamesAccepted', 'NoConflicts', 'no conflicts found'),
    now,
  );
  const established =
    conflict && !isEstablished(definition)
      ? {
          ...said('Established', 'NotAccepted', 'not all names are accepted'),
          status: 'False' as const,
        }
      : said('Established', 'InitialNamesAccepted', 'the initial names have been accepted');
  const next = {
    ...(status.acceptedNames && { acceptedNames: status.acceptedNames }),
    ...(!conflict && { acceptedNames: spec.names }),
    conditions: withCondition(named, established, now),
    storedVersions: spec.versions.map(({ name }) => name),
  };
  await objects.update(CustomResourceDefinition, { ...definition, status: next }, 'status');
}

const said = (type: string, reason: string, message: string) =>
  ({ type, status: 'True', reason, message }) as const;

/** Within a group every word means one kind. */
function conflictOf({ metadata, spec }: CustomResourceDefinition, kinds: ServedKinds) {
  const { names, group } = spec;
  const others = kinds.all.filter(
    (kind) => kind.group === group && kind.defined?.uid !== metadata.uid,
  );
  const words = new Set(others.flatMap((one) => [one.plural, one.singular, ...one.shortNames]));
  const wanted = [
    ['PluralConflict', names.plural, words],
    ['SingularConflict', names.singular, words],
    ...(names.shortNames ?? []).map((name) => ['ShortNamesConflict', name, words] as const),
    ['KindConflict', names.kind, new Set(others.map(({ kind }) => kind))],
  ] as const;
  const taken = wanted.find(([, name, known]) => known.has(name));
  if (!taken) return undefined;
  const [reason, name] = taken;
  return {
    ...said('NamesAccepted', reason, `"${name}" is already in use`),
    status: 'False' as const,
  };
}

/** Its objects go first; then it may. */
async function empty(definition: CustomResourceDefinition, { cache, clock, objects }: LoopDeps) {
  const { metadata, status } = definition;
  const kind = cache.kinds.all.find(({ defined }) => defined?.uid === metadata.uid);
  const left = kind ? cache.list(kind) : [];
  if (kind && left.length > 0) {
    const terminating = said(
      'Terminating',
      'InstanceDeletionInProgress',
      'CustomResource deletion is in progress',
    );
    const conditions = withCondition<Condition>(
      status.conditions,
      terminating,
      formatTime(clock.now()),
    );
    await objects.update(
      CustomResourceDefinition,
      { ...definition, status: { ...status, conditions } },
      'status',
    );
    for (const object of left)
      if (!object.metadata.deletionTimestamp) await objects.delete(kind, keyOf(object));
    return;
  }
  const finalizers = (metadata.finalizers ?? []).filter((one) => one !== cleanupFinalizer);
  await objects.update(
    CustomResourceDefinition,
    { ...definition, metadata: { ...metadata, finalizers } },
    'all',
  );
}
