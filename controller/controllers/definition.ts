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

async function accept(definition: CustomResourceDefinition, deps: LoopDeps) {
  const { spec, status } = definition;
  const conflict = conflictOf(definition, deps.cache.kinds);
  const isNew = !isEstablished(definition);
  await say(definition, deps, {
    status: {
      ...status,
      ...(!conflict && { acceptedNames: spec.names }),
      storedVersions: spec.versions.map(({ name }) => name),
    },
    conditions: [
      conflict ?? condition('NamesAccepted', 'NoConflicts', 'no conflicts found'),
      conflict && isNew
        ? { ...condition('Established', 'NotAccepted', 'not all names are accepted'), ...isFalse }
        : condition('Established', 'InitialNamesAccepted', 'the initial names have been accepted'),
    ],
  });
}

const condition = (type: string, reason: string, message: string): Condition => ({
  ...{ type, status: 'True', reason, message },
});
const isFalse = { status: 'False' } as const;

interface Said {
  readonly status: CustomResourceDefinition['status'];
  readonly conditions: readonly Condition[];
}

async function say(definition: CustomResourceDefinition, deps: LoopDeps, said: Said) {
  const now = formatTime(deps.clock.now());
  const conditions = said.conditions.reduce<readonly Condition[]>(
    (all, one) => withCondition(all, one, now),
    definition.status.conditions ?? [],
  );
  const next = { ...definition, status: { ...said.status, conditions } };
  await deps.objects.update(CustomResourceDefinition, next, 'status');
}

/** Within a group every word means one kind. */
function conflictOf({ metadata, spec }: CustomResourceDefinition, kinds: ServedKinds) {
  const { plural, singular, shortNames = [], kind } = spec.names;
  const others = kinds.all.filter(
    ({ group, defined }) => group === spec.group && defined?.uid !== metadata.uid,
  );
  const words = others.flatMap((one) => [one.plural, one.singular, ...one.shortNames, one.kind]);
  const wanted = { Plural: [plural], Singular: [singular], ShortNames: shortNames, Kind: [kind] };
  for (const [what, names] of Object.entries(wanted)) {
    const taken = names.find((name) => words.includes(name));
    if (taken === undefined) continue;
    const message = `"${taken}" is already in use`;
    return { ...condition('NamesAccepted', `${what}Conflict`, message), ...isFalse };
  }
  return undefined;
}

/** Its objects go first; then it may. */
async function empty(definition: CustomResourceDefinition, deps: LoopDeps) {
  const { cache, objects } = deps;
  const { metadata, status } = definition;
  const kind = cache.kinds.all.find(({ defined }) => defined?.uid === metadata.uid);
  const left = kind ? cache.list(kind) : [];
  if (!kind || left.length === 0) {
    const finalizers = metadata.finalizers?.filter((one) => one !== cleanupFinalizer);
    const freed = { ...definition, metadata: { ...metadata, finalizers } };
    await objects.update(CustomResourceDefinition, freed, 'all');
    return;
  }
  await say(definition, deps, { status, conditions: [terminating] });
  const living = left.filter((object) => !object.metadata.deletionTimestamp);
  for (const object of living) await objects.delete(kind, keyOf(object));
}

const terminating = condition(
  ...([
    'Terminating',
    'InstanceDeletionInProgress',
    'CustomResource deletion is in progress',
  ] as const),
);
