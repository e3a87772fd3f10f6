import { createdAtColumn } from './columns.ts';
import type { FieldErrors, FieldPath } from './field-error.ts';
import * as field from './field-error.ts';
import { type Kind, type KubeObject, kind } from './kind.ts';
import { checkPathSegment } from './names.ts';
import * as s from './schema.ts';
import { checkLabelSelector, labelSelectorFields } from './selector.ts';

export const rbacGroup = 'rbac.authorization.k8s.io';

export const policyRule = s.obj({
  verbs: s.list(s.str()).doc('get, list, watch, create …; "*": all of them.').required(),
  apiGroups: s.list(s.str()).doc('"" is the core group, "*" every group.'),
  resources: s.list(s.str()).doc('pods, pods/log, */scale, "*".'),
  resourceNames: s.list(s.str()).doc('Only these objects; none: all.'),
  nonResourceURLs: s.list(s.str()).doc('/metrics, /healthz/*; in ClusterRoles only.'),
});

export type PolicyRule = s.TypeOf<typeof policyRule>;

const roleFields = { rules: s.list(policyRule).doc('Each allows something; nothing forbids.') };

export type Role = KubeObject<typeof roleFields>;

export const Role: Kind<typeof roleFields> = kind({
  group: rbacGroup,
  kind: 'Role',
  checkName: checkPathSegment,
  about: 'What may be done in its namespace, by whom a RoleBinding names.',
  fields: roleFields,
  validate: ({ rules }, at) => checkRules(rules, { namespaced: true, at: at('rules') }),
  columns: [createdAtColumn],
});

const clusterRoleFields = {
  ...roleFields,
  aggregationRule: s
    .obj({ clusterRoleSelectors: s.list(s.obj(labelSelectorFields)).doc('Any of them.') })
    .doc('The rules are written by orc: those of all ClusterRoles that are selected.'),
};

export type ClusterRole = KubeObject<typeof clusterRoleFields>;

export const ClusterRole: Kind<typeof clusterRoleFields> = kind({
  group: rbacGroup,
  kind: 'ClusterRole',
  namespaced: false,
  checkName: checkPathSegment,
  about: 'What may be done, in the whole cluster or where a RoleBinding says.',
  fields: clusterRoleFields,
  validate: ({ rules, aggregationRule }, at) => {
    const selectors = at('aggregationRule')('clusterRoleSelectors');
    return field.errorsOf(
      checkRules(rules, { namespaced: false, at: at('rules') }),
      aggregationRule &&
        !aggregationRule.clusterRoleSelectors?.length &&
        field.required(
          selectors,
          'at least one clusterRoleSelector required if aggregationRule is non-nil',
        ),
      field.errorsOfEach(aggregationRule?.clusterRoleSelectors, selectors, checkLabelSelector),
    );
  },
  columns: [createdAtColumn],
});

/** Combinations of verb, group, resource and name: each is compared when a role is written. */
const maxParts = 50_000;

const partsIn = ({ verbs, apiGroups, resources, resourceNames, nonResourceURLs }: PolicyRule) =>
  [apiGroups, resources, resourceNames, nonResourceURLs].reduce(
    (product, list) => product * (list?.length || 1),
    verbs.length,
  );

/** What the shape can't say. */
function checkRules(
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
