import type { Kind } from '../api/kind.ts';
import { on, text, UsageError, type ValuesOf } from '../base/flags.ts';
import type { Cli } from './cli.ts';
import { findKind, findKinds } from './kind-lookup.ts';
import type { ObjectRef } from './resources.ts';

/** What the words behind a verb mean: one object, or (without a name) all of a kind. */
export type Target = Readonly<{ kind: Kind; name: string | undefined }>;

export interface NamedTarget extends Target {
  readonly name: string;
}

/** "pods", "pods,svc", "all", "pod a b", "deploy/web svc/web". Throws UsageError. */
export function parseTargets(words: readonly string[]): readonly Target[] {
  const [first, ...names] = words;
  if (first === undefined) throw new UsageError('say what: a kind, or KIND/NAME');
  if (words.some((word) => word.includes('/'))) return words.map(parseNamed);
  const kinds = findKinds(first);
  if (names.length === 0) return kinds.map((kind) => ({ kind, name: undefined }));
  return kinds.flatMap((kind) => names.map((name) => ({ kind, name })));
}

/** The objects that are meant: by name, or all of a kind that have the labels. */
export async function refsOf(cli: Cli, targets: readonly Target[], labelSelector?: string) {
  const place = await cli.namespace();
  const refs = targets.map(async ({ kind, name }): Promise<readonly ObjectRef[]> => {
    const namespace = kind.namespaced ? place : '';
    if (name !== undefined) return [{ kind, name, namespace }];
    const { items } = await cli.api.list({ kind, namespace, labelSelector });
    return items.map(({ metadata }) => ({ kind, name: metadata.name, namespace }));
  });
  return (await Promise.all(refs)).flat();
}

/** Of verbs that change several objects. */
export const selectionFlags = {
  selector: text('labels', 'those with these labels').short('l'),
  all: on('all of the kind in the namespace'),
};

/** As {@link refsOf}; all of a kind must be asked for in so many words. Throws UsageError. */
export async function refsMeant(
  cli: Cli,
  targets: readonly Target[],
  { selector, all }: ValuesOf<typeof selectionFlags>,
): Promise<readonly ObjectRef[]> {
  const selects = all || selector !== undefined;
  if (selects && targets.some(({ name }) => name !== undefined))
    throw new UsageError('give names, or -l LABELS, or --all: not several of them');
  const bare = targets.find(({ name }) => name === undefined);
  if (bare && !selects)
    throw new UsageError(`say which ${bare.kind.plural}: names, -l LABELS or --all`);
  const refs = await refsOf(cli, targets, selector);
  if (refs.length === 0) cli.err('nothing is selected');
  return refs;
}

/** As {@link parseTargets}, where only single objects make sense. Throws UsageError. */
export const parseNamedTargets = (words: readonly string[]): readonly NamedTarget[] =>
  parseTargets(words).map(({ kind, name }) => {
    if (name === undefined) throw new UsageError(`say which one: ${kind.singular}/NAME`);
    return { kind, name };
  });

/** "web-1" is a pod, "deploy/web" something that has pods. Throws UsageError. */
export const parsePodTarget = (word: string): NamedTarget =>
  word.includes('/') ? parseNamed(word) : { kind: findKind('pods'), name: word };

function parseNamed(word: string): NamedTarget {
  const [kind = '', name = '', ...rest] = word.split('/');
  if (kind === '' || name === '' || rest.length > 0)
    throw new UsageError(`"${word}" is not KIND/NAME; don't mix it with KIND NAME`);
  return { kind: findKind(kind), name };
}
