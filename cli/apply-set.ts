import { createHash } from 'node:crypto';
import { type AnyObject, apiVersionOf, type Kind } from '../api/kind.ts';
import { Secret } from '../api/secret.ts';
import packageJson from '../package.json' with { type: 'json' };
import { CliError } from './cli-error.ts';
import { kindWhere } from './kind-lookup.ts';
import { groundsFirst } from './manifest-check.ts';
import { type Api, ifFound, type ObjectRef, objectPath } from './resources.ts';

/**
 * Objects that are applied together (KEP-3659): each has a label with the set's id, and a parent, a Secret as kubectl
 * makes it, says of which kinds they are and in which namespaces.
 */
export interface ApplySet {
  readonly parent: ObjectRef;
  readonly id: string;
  readonly kinds: readonly Kind[];
  readonly namespaces: readonly string[];
}

export type Member = Readonly<{ ref: ObjectRef; object: AnyObject }>;

const name = (word: string) => `applyset.kubernetes.io/${word}`;

export const membershipLabel = name('part-of');

/** One that isn't there yet is empty. Throws CliError for what isn't orc's apply set. */
export async function readApplySet(
  api: Api,
  place: Pick<ObjectRef, 'namespace' | 'name'>,
): Promise<ApplySet> {
  const parent = { ...place, kind: Secret };
  const id = applySetId(parent);
  const found = await ifFound(api.get(parent));
  const { labels = {}, annotations = {} } = found?.metadata ?? {};
  if (found && labels[name('id')] !== id)
    throw new CliError(`secret/${parent.name} is there and is no apply set: choose another name`);
  const { [name('tooling')]: tool = '' } = annotations;
  if (found && !tool.startsWith('orc/'))
    throw new CliError(`the apply set ${parent.name} is kept by "${tool}": prune it with that`);
  const listed = (word: string) => (annotations[name(word)] ?? '').split(',').filter(Boolean);
  const known = listed('contains-group-kinds').map((word) =>
    kindWhere(api, (kind) => groupKind(kind) === word),
  );
  // Of a kind that is gone there are no objects.
  const kinds = (await Promise.all(known)).filter((kind) => kind !== undefined);
  return { parent, id, kinds, namespaces: listed('additional-namespaces') };
}

/** Pure. */
export function applySetId({ kind, name, namespace }: ObjectRef): string {
  const text = [name, namespace, kind.kind, kind.group].join('.');
  return `applyset-${createHash('sha256').update(text).digest('base64url')}-v1`;
}

/** With these objects, too. Pure. */
export const withMembers = (set: ApplySet, refs: readonly ObjectRef[]): ApplySet => ({
  ...set,
  kinds: [...new Set([...set.kinds, ...refs.map(({ kind }) => kind)])],
  namespaces: [...new Set([...set.namespaces, ...refs.map(({ namespace }) => namespace)])],
});

export const emptied = (set: ApplySet): ApplySet => ({ ...set, kinds: [], namespaces: [] });

/** The parent says at any time where members may be: it is written before they are, and when those that go are gone. */
export async function writeApplySet(api: Api, set: ApplySet): Promise<void> {
  const { parent, id, kinds, namespaces } = set;
  const elsewhere = namespaces.filter((one) => one !== '' && one !== parent.namespace);
  const annotations = {
    [name('tooling')]: `orc/v${packageJson.version}`,
    [name('contains-group-kinds')]: [...new Set(kinds.map(groupKind))].sort().join(','),
    [name('additional-namespaces')]: elsewhere.sort().join(',') || undefined,
  };
  const { kind, namespace, name: parentName } = parent;
  const labels = { [name('id')]: id };
  const metadata = { name: parentName, namespace, labels, annotations };
  const body = { apiVersion: apiVersionOf(kind), kind: kind.kind, metadata };
  await api.apply(parent, { body, force: true });
}

export async function membersOf(api: Api, set: ApplySet): Promise<readonly Member[]> {
  const labelSelector = `${membershipLabel}=${set.id}`;
  const namespaces = new Set([set.parent.namespace, ...set.namespaces]);
  const places = set.kinds.flatMap((kind) =>
    (kind.namespaced ? [...namespaces] : ['']).map((namespace) => ({ kind, namespace })),
  );
  const lists = places.map(async (place) => {
    const { items } = await api.list({ ...place, labelSelector });
    return items.map((object) => ({ ref: { ...place, name: object.metadata.name }, object }));
  });
  return (await Promise.all(lists)).flat();
}

/** Members that are no longer wanted, in the order of their deletion; what goes already is left alone. Pure. */
export function planPrune(members: readonly Member[], wanted: readonly ObjectRef[]) {
  const kept = new Set(wanted.map((ref) => objectPath(ref)));
  const pruned = members.filter(
    ({ ref, object }) => !kept.has(objectPath(ref)) && !object.metadata.deletionTimestamp,
  );
  return groundsFirst(pruned).reverse();
}

/** "Deployment.apps" */
const groupKind = ({ kind, group }: Kind) => (group === '' ? kind : `${kind}.${group}`);
