import type { Kind } from '../api/kind.ts';
import { kinds } from '../api/kinds.ts';
import { didYouMean } from '../base/closest.ts';
import { UsageError } from '../base/flags.ts';
import type { Api, ObjectRef } from './resources.ts';

/** "po", "pods", "Pod", "deployments.apps", "deployments.v1.apps". Throws UsageError. */
export async function findKind(api: Api, word: string): Promise<Kind> {
  const found = await kindWhere(api, isNamed(word));
  if (found) return found;
  const nearest = didYouMean(word, (await api.kinds()).flatMap(namesOf));
  const hint = nearest && `; ${nearest}`;
  throw new UsageError(`there is no kind "${word}"${hint} (orc api-resources lists them)`);
}

export const isNamed = (word: string) => (kind: Kind) => namesOf(kind).includes(word.toLowerCase());

/** The cluster is asked only where none is built in. */
export const kindWhere = async (api: Api, isIt: (kind: Kind) => boolean) =>
  kinds.find(isIt) ?? (await api.kinds()).find(isIt);

/** "pods,svc", or "all": every kind of that category. Throws UsageError. */
export async function findKinds(api: Api, words: string): Promise<readonly Kind[]> {
  const given = words.split(',').filter((word) => word !== '');
  const found = given.map(async (word) => {
    const all = kinds.some(isNamed(word)) ? [] : await api.kinds();
    const inCategory = all.filter(({ categories }) => categories.includes(word));
    return inCategory.length > 0 ? inCategory : findKind(api, word);
  });
  return (await Promise.all(found)).flat();
}

/** "deployment.apps/web": how a result names what it did something to. */
export const titleOf = ({ kind, name }: Pick<ObjectRef, 'kind' | 'name'>): string =>
  `${kind.singular}${kind.group && `.${kind.group}`}/${name}`;

function namesOf({ plural, singular, shortNames, group, version }: Kind): readonly string[] {
  const suffixes = group === '' ? [] : [`.${group}`, `.${version}.${group}`];
  const qualified = suffixes.flatMap((suffix) => [plural + suffix, singular + suffix]);
  return [plural, singular, ...shortNames, ...qualified];
}
