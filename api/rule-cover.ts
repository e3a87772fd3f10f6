import type { PolicyRule } from './role.ts';

/** What a request does, as rules see it. */
export type Deed =
  | {
      readonly verb: string;
      readonly group: string;
      /** "pods", "pods/log" */
      readonly resource: string;
      /** "": no one object. */
      readonly name: string;
    }
  | { readonly verb: string; readonly path: string };

/** The whole of what RBAC can grant. */
export const everything: readonly PolicyRule[] = [
  { verbs: ['*'], apiGroups: ['*'], resources: ['*'] },
  { verbs: ['*'], nonResourceURLs: ['*'] },
];

export function allows(rule: PolicyRule, deed: Deed): boolean {
  if (!hasOrAll(rule.verbs, deed.verb)) return false;
  if ('path' in deed) return (rule.nonResourceURLs ?? []).some((url) => coversUrl(url, deed.path));
  const { resourceNames = [] } = rule;
  return (
    hasOrAll(rule.apiGroups, deed.group) &&
    (rule.resources ?? []).some((resource) => coversResource(resource, deed.resource)) &&
    (resourceNames.length === 0 || resourceNames.includes(deed.name))
  );
}

/** The parts of `wanted` that none of `held` grants: each of one verb, group and resource, or URL. */
export const uncovered = (
  held: readonly PolicyRule[],
  wanted: readonly PolicyRule[],
): readonly PolicyRule[] =>
  wanted.flatMap((rule) =>
    [...partsOf(rule)].filter((part) => !held.some((own) => covers(own, part))),
  );

/** A wildcard is a word here: only a wildcard grants it. What is for all objects is granted by no list of names. */
function covers(rule: PolicyRule, part: PolicyRule): boolean {
  const [verb = ''] = part.verbs;
  const [path] = part.nonResourceURLs ?? [];
  if (path !== undefined) return allows(rule, { verb, path });
  const [group = ''] = part.apiGroups ?? [];
  const [resource = ''] = part.resources ?? [];
  const [name] = part.resourceNames ?? [];
  if (name === undefined && (rule.resourceNames ?? []).length > 0) return false;
  return allows(rule, { verb, group, resource, name: name ?? '' });
}

function* partsOf(rule: PolicyRule): Generator<PolicyRule> {
  const { verbs, apiGroups = [], resources = [], resourceNames = [], nonResourceURLs = [] } = rule;
  const names =
    resourceNames.length > 0 ? resourceNames.map((name) => ({ resourceNames: [name] })) : [{}];
  for (const verb of verbs) {
    for (const url of nonResourceURLs) yield { nonResourceURLs: [url], verbs: [verb] };
    for (const group of apiGroups)
      for (const resource of resources)
        for (const name of names)
          yield { apiGroups: [group], resources: [resource], ...name, verbs: [verb] };
  }
}

const hasOrAll = (list: readonly string[] = [], word: string) =>
  list.includes('*') || list.includes(word);

/** "*" stands for every resource and subresource, or before a slash for every one that has this subresource. */
function coversResource(granted: string, asked: string): boolean {
  if (granted === '*' || granted === asked) return true;
  const slash = asked.indexOf('/');
  return slash > 0 && granted === `*${asked.slice(slash)}`;
}

const coversUrl = (granted: string, asked: string) =>
  granted === asked || (granted.endsWith('*') && asked.startsWith(granted.replace(/\*+$/, '')));
