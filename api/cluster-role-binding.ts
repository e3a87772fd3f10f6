import { bindingDeclaration } from './binding-declaration.ts';
import { type Kind, type KubeObject, kind } from './kind.ts';

const declaration = bindingDeclaration(['ClusterRole']);

export type ClusterRoleBinding = KubeObject<typeof declaration.fields>;

export const ClusterRoleBinding: Kind<typeof declaration.fields> = kind({
  ...declaration,
  kind: 'ClusterRoleBinding',
  namespaced: false,
  about: 'Lets users, groups and ServiceAccounts do everywhere what a ClusterRole says.',
});
