import { type Condition, conditionOf, withCondition } from '../../api/condition.ts';
import { CustomResourceDefinition, isEstablished } from '../../api/custom-resource-definition.ts';
import { apiVersionOf, type Kind } from '../../api/kind.ts';
import { formatTime } from '../../base/clock.ts';
import { cleanupFinalizer } from '../store/deletion.ts';
import { keyOf } from '../store/keys.ts';
import type { Loop, LoopDeps } from '../store/loop.ts';
import type { Cache, ObjectChange } from '../store/objects.ts';

/** Lets definitions take up the names that nobody has, and takes their objects along. The key is the definition's name. */
export const definitionLoop: Loop = {
  name: 'definition-controller',
  // One after the other: of two that want the same name one gets it.
  workers: 1,
  wakes,
  async reconcile(name, deps) {
    const definition = deps.cache.get(CustomResourceDefinition, { namespace: '', name });
    if (definition?.metadata.deletionTimestamp) return empty(definition, deps);
    if (definition) await accept(definition, deps);
    return undefined;
  },
};

/** What waits for names looks again with every definition that changes. */
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
  const conflict = conflictOf(definition, deps.cache);
  const named = conflict
    ? said('NamesAccepted', 'False', ...conflict)
    : said('NamesAccepted', 'True', 'NoConflicts', 'no conflicts found');
  const established =
    conflict && !isEstablished(definition)
      ? said('Established', 'False', 'NotAccepted', 'not all names are accepted')
      : said('Established', 'True', 'InitialNamesAccepted', 'the initial names have been accepted');
  const acceptedNames = conflict ? status.acceptedNames : spec.names;
  const storedVersions = spec.versions.map(({ name }) => name);
  const next = { ...definition, status: { ...status, acceptedNames, storedVersions } };
  await say(next, [named, established], deps);
}

type Words = readonly [type: string, status: Condition['status'], reason: string, message: string];

const said = (...[type, status, reason, message]: Words) => ({ type, status, reason, message });

async function say(
  definition: CustomResourceDefinition,
  news: readonly Condition[],
  { objects, clock }: LoopDeps,
) {
  const now = formatTime(clock.now());
  const { conditions: before = [] } = definition.status;
  const conditions = news.reduce((all, one) => withCondition(all, one, now), before);
  const next = { ...definition, status: { ...definition.status, conditions } };
  await objects.update(CustomResourceDefinition, next, 'status');
}

/** Within a group every word means one kind. */
function conflictOf({ metadata, spec }: CustomResourceDefinition, { kinds }: Cache) {
  const { plural, singular, shortNames = [], kind } = spec.names;
  const others = kinds.all.filter(
    ({ group, defined }) => group === spec.group && defined?.uid !== metadata.uid,
  );
  const words = others.flatMap((one) => [one.plural, one.singular, ...one.shortNames, one.kind]);
  const wanted = { Plural: [plural], Singular: [singular], ShortNames: shortNames, Kind: [kind] };
  return Object.entries(wanted)
    .flatMap(([what, names]) => names.map((name) => ({ what, name })))
    .filter(({ name }) => words.includes(name))
    .map(({ what, name }) => [`${what}Conflict`, `"${name}" is already in use`] as const)[0];
}

/** Its objects go first; then it may. */
async function empty(definition: CustomResourceDefinition, deps: LoopDeps) {
  const { cache, objects } = deps;
  const { metadata } = definition;
  const kind = cache.kinds.all.find(({ defined }) => defined?.uid === metadata.uid);
  const left = kind ? cache.list(kind) : [];
  if (!kind || left.length === 0) {
    // Once nobody serves the kind, nobody knows that these owners are gone.
    if (kind && isOwner(kind, cache)) return lookAgainMs;
    const finalizers = metadata.finalizers?.filter((one) => one !== cleanupFinalizer);
    const freed = { ...definition, metadata: { ...metadata, finalizers } };
    await objects.update(CustomResourceDefinition, freed, 'all');
    return undefined;
  }
  const why = ['InstanceDeletionInProgress', 'CustomResource deletion is in progress'] as const;
  await say(definition, [said('Terminating', 'True', ...why)], deps);
  for (const object of left)
    if (!object.metadata.deletionTimestamp) await objects.delete(kind, keyOf(object));
  return undefined;
}

const lookAgainMs = 250;

/** The garbage collector has yet to take what objects of this kind owned. */
const isOwner = (kind: Kind, { kinds, list }: Cache): boolean =>
  kinds.all
    .filter(({ namespaced }) => namespaced || !kind.namespaced)
    .flatMap((one) => list(one))
    .filter(({ metadata }) => metadata.deletionTimestamp === undefined)
    .flatMap(({ metadata }) => metadata.ownerReferences ?? [])
    .some((owner) => owner.kind === kind.kind && owner.apiVersion === apiVersionOf(kind));
