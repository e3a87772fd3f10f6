import { bindingDeclaration } from './binding-declaration.ts';
import { type Kind, type KubeObject, kind } from './kind.ts';

const declaration = bindingDeclaration(['Role', 'ClusterRole']);

export type RoleBinding = KubeObject<typeof declaration.fields>;

export const RoleBinding: Kind<typeof declaration.fields> = kind({
  ...declaration,
  kind: 'RoleBinding',
  about: 'Lets users, groups and ServiceAccounts do in its namespace what a role says.',
});
