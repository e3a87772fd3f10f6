import type { Kind } from '../api/kind.ts';
import { Pod } from '../api/pod.ts';
import { on, text, UsageError, type ValuesOf } from '../base/flags.ts';
import type { Cli } from './cli.ts';
import { findKind, findKinds } from './kind-lookup.ts';
import type { Api, ObjectRef } from './resources.ts';

/** What the words behind a verb mean: one object, or (without a name) all of a kind. */
export type Target = Readonly<{ kind: Kind; name: string | undefined }>;

/**
 * "pods", "pods,svc", "all", "pod a b", "deploy/web svc/web". Throws UsageError.
 *
 * @param isSelected by labels or the like: names would be without effect, or that.
 */
export async function parseTargets(
  api: Api,
  words: readonly string[],
  isSelected = false,
): Promise<readonly Target[]> {
  const [first, ...names] = words;
  if (!first) throw new UsageError('say what: a kind, or KIND/NAME');
  const isNamed = names.length > 0 || first.includes('/');
  if (isSelected && isNamed) throw new UsageError(namesOrSelection);
  if (words.some((word) => word.includes('/')))
    return Promise.all(words.map((word) => parseNamed(api, word)));
  const kinds = await findKinds(api, first);
  if (names.length === 0) return kinds.map((kind) => ({ kind, name: undefined }));
  return kinds.flatMap((kind) => names.map((name) => ({ kind, name })));
}

export const namesOrSelection = 'give names or what selects them, such as -l LABELS: not both';

async function parseNamed(api: Api, word: string) {
  const [kind = '', name = '', ...rest] = word.split('/');
  if (kind === '' || name === '' || rest.length > 0)
    throw new UsageError(`"${word}" is not KIND/NAME; don't mix it with KIND NAME`);
  return { kind: await findKind(api, kind), name };
}

/** The objects that are meant: by name, or all of a kind that have the labels. Throws UsageError. */
export const refsOf = async (cli: Cli, words: readonly string[], labelSelector?: string) =>
  refsTo(cli, await parseTargets(cli.api, words, labelSelector !== undefined), labelSelector);

async function refsTo(cli: Cli, targets: readonly Target[], labelSelector?: string) {
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

/** As {@link refsOf}; all of a kind must be asked for in so many words, if that is possible. Throws UsageError. */
export async function refsMeant(
  cli: Cli,
  words: readonly string[],
  flags?: ValuesOf<typeof selectionFlags>,
): Promise<readonly ObjectRef[]> {
  const { selector, all = false } = flags ?? {};
  const selects = all || selector !== undefined;
  const targets = await parseTargets(cli.api, words, selects);
  const bare = targets.find(({ name }) => name === undefined);
  if (bare && !selects)
    throw new UsageError(
      `say which ${bare.kind.plural}: ${flags ? 'names, -l LABELS or --all' : 'name them'}`,
    );
  const refs = await refsTo(cli, targets, selector);
  if (refs.length === 0) cli.err('nothing is selected');
  return refs;
}

/** "web-1" is a pod, "deploy/web" something that has pods. Throws UsageError. */
export async function refWithPods(cli: Cli, word: string): Promise<ObjectRef> {
  const target = word.includes('/') ? await parseNamed(cli.api, word) : { kind: Pod, name: word };
  return { ...target, namespace: await cli.namespace() };
}
