import { apiVersionOf, type Kind } from '../api/kind.ts';
import { kinds } from '../api/kinds.ts';
import { closestTo } from '../base/closest.ts';
import { UsageError } from '../base/flags.ts';

/** "po", "pods", "Pod", "deployments.apps", "deployments.v1.apps". Throws UsageError. */
export function findKind(word: string): Kind {
  const found = knownKind(word);
  if (found) return found;
  const nearest = closestTo(word, kinds.flatMap(namesOf));
  throw new UsageError(
    `there is no kind "${word}"${nearest === undefined ? '' : `; did you mean "${nearest}"?`} (orc api-resources lists them)`,
  );
}

export const knownKind = (word: string): Kind | undefined =>
  kinds.find((kind) => namesOf(kind).includes(word.toLowerCase()));

/** "pods,svc", or "all": every kind of that category. Throws UsageError. */
export const findKinds = (words: string): readonly Kind[] =>
  words
    .split(',')
    .filter((word) => word !== '')
    .flatMap((word) => {
      const inCategory = kinds.filter(({ categories }) => categories.includes(word));
      return inCategory.length > 0 ? inCategory : [findKind(word)];
    });

export const kindOf = (apiVersion: string, kind: string): Kind | undefined =>
  kinds.find((one) => one.kind === kind && apiVersionOf(one) === apiVersion);

/** "deployment.apps": how a result names what it did something to. */
export const resultName = ({ singular, group }: Kind): string =>
  group === '' ? singular : `${singular}.${group}`;

function namesOf({ plural, singular, shortNames, group, version }: Kind): readonly string[] {
  const suffixes = group === '' ? [] : [`.${group}`, `.${version}.${group}`];
  const qualified = suffixes.flatMap((suffix) => [plural + suffix, singular + suffix]);
  return [plural, singular, ...shortNames, ...qualified];
}
