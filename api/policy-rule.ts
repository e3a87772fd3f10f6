import type { FieldErrors, FieldPath } from './field-error.ts';
import * as field from './field-error.ts';
import * as s from './schema.ts';

export const rbacGroup = 'rbac.authorization.k8s.io';

export const policyRule = s.obj({
  verbs: s.list(s.str()).doc('get, list, watch, create …; "*": all of them.').required(),
  apiGroups: s.list(s.str()).doc('"" is the core group, "*" every group.'),
  resources: s.list(s.str()).doc('pods, pods/log, */scale, "*".'),
  resourceNames: s.list(s.str()).doc('Only these objects; none: all.'),
  nonResourceURLs: s.list(s.str()).doc('/metrics, /healthz/*; in ClusterRoles only.'),
});

export type PolicyRule = s.TypeOf<typeof policyRule>;

/** Combinations of verb, group, resource and name: each is compared when a role is written. */
const maxParts = 50_000;

const partsIn = ({ verbs, apiGroups, resources, resourceNames, nonResourceURLs }: PolicyRule) =>
  [apiGroups, resources, resourceNames, nonResourceURLs].reduce(
    (product, list) => product * (list?.length || 1),
    verbs.length,
  );

/** What the shape can't say. */
export function checkRules(
  rules: readonly PolicyRule[] | undefined,
  { namespaced, at }: { readonly namespaced: boolean; readonly at: FieldPath },
): FieldErrors {
  const count = (rules ?? []).reduce((sum, rule) => sum + partsIn(rule), 0);
  if (count > maxParts) return [field.tooMany(at, count, maxParts)];
  return field.errorsOfEach(rules, at, (rule, path) => {
    const { verbs, apiGroups, resources, resourceNames, nonResourceURLs = [] } = rule;
    const noVerbs =
      verbs.length === 0 && field.required(path('verbs'), 'verbs must contain at least one value');
    if (nonResourceURLs.length > 0) {
      const isBoth = [apiGroups, resources, resourceNames].some((list) => list?.length);
      const urls = path('nonResourceURLs');
      const mixed = 'rules cannot apply to both regular resources and non-resource URLs';
      return field.errorsOf(
        noVerbs,
        namespaced &&
          field.invalid(
            urls,
            nonResourceURLs,
            'namespaced rules cannot apply to non-resource URLs',
          ),
        isBoth && field.invalid(urls, nonResourceURLs, mixed),
      );
    }
    const lack = (what: string) => `resource rules must supply at least one ${what}`;
    return field.errorsOf(
      noVerbs,
      !apiGroups?.length && field.required(path('apiGroups'), lack('api group')),
      !resources?.length && field.required(path('resources'), lack('resource')),
    );
  });
}
