import { createdAtColumn } from './columns.ts';
import * as field from './field-error.ts';
import { type Kind, type KubeObject, kind } from './kind.ts';
import { checkPathSegment } from './names.ts';
import { checkRules, policyRule, rbacGroup } from './policy-rule.ts';
import * as s from './schema.ts';
import { checkLabelSelector, labelSelectorFields } from './selector.ts';

const fields = {
  rules: s.list(policyRule).doc('Each allows something; nothing forbids.'),
  aggregationRule: s
    .obj({ clusterRoleSelectors: s.list(s.obj(labelSelectorFields)).doc('Any of them.') })
    .doc('The rules are written by orc: those of all ClusterRoles that are selected.'),
};

export type ClusterRole = KubeObject<typeof fields>;

export const ClusterRole: Kind<typeof fields> = kind({
  group: rbacGroup,
  kind: 'ClusterRole',
  namespaced: false,
  checkName: checkPathSegment,
  about: 'What may be done, in the whole cluster or where a RoleBinding says.',
  fields,
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
