import { createdAtColumn } from './columns.ts';
import { type Kind, type KubeObject, kind } from './kind.ts';
import { checkPathSegment } from './names.ts';
import { checkRules, policyRule, rbacGroup } from './policy-rule.ts';
import * as s from './schema.ts';

const fields = { rules: s.list(policyRule).doc('Each allows something; nothing forbids.') };

export type Role = KubeObject<typeof fields>;

export const Role: Kind<typeof fields> = kind({
  group: rbacGroup,
  kind: 'Role',
  checkName: checkPathSegment,
  about: 'What may be done in its namespace, by whom a RoleBinding names.',
  fields,
  validate: ({ rules }, at) => checkRules(rules, { namespaced: true, at: at('rules') }),
  columns: [createdAtColumn],
});
