import { text, wide } from './columns.ts';
import type { FieldPath } from './field-error.ts';
import * as field from './field-error.ts';
import { type Kind, type KubeObject, kind } from './kind.ts';
import { checkDnsLabel, checkPathSegment } from './names.ts';
import { rbacGroup } from './role.ts';
import { isSame } from './same.ts';
import * as s from './schema.ts';
import { serviceAccountUser } from './user-info.ts';

const subjectFields = {
  kind: s.str({ values: ['User', 'Group', 'ServiceAccount'] }).required(),
  apiGroup: s.str().doc('Empty for a ServiceAccount, rbac.authorization.k8s.io for the others.'),
  name: s.str().required(),
  namespace: s.str().doc('Of a ServiceAccount.'),
};

type Subject = s.ObjectOf<typeof subjectFields>;

const bindingFields = (roles: readonly string[]) => ({
  subjects: s.list(s.obj(subjectFields)).doc('Who gets what the role allows.'),
  roleRef: s
    .obj({
      apiGroup: s.str({ values: [rbacGroup] }).default(rbacGroup),
      kind: s.str({ values: roles }).required(),
      name: s.str().required(),
    })
    .doc('The role; another one needs another binding.')
    .required(),
});

type Binding = KubeObject<ReturnType<typeof bindingFields>>;

/** The user or the group that a subject is, as one word. */
export const subjectWord = ({ kind, namespace = '', name }: Subject): string =>
  kind === 'ServiceAccount' ? `User ${serviceAccountUser(namespace, name)}` : `${kind} ${name}`;

/** What RoleBinding and ClusterRoleBinding have in common; `roles`: the kinds that they may refer to. */
const bindingDeclaration = (roles: readonly string[]) => ({
  group: rbacGroup,
  checkName: checkPathSegment,
  fields: bindingFields(roles),
  applyDefaults: withSubjectGroups,
  validate: ({ subjects }: Binding, at: FieldPath) =>
    field.errorsOfEach(subjects, at('subjects'), checkSubject),
  validateUpdate: ({ roleRef }: Binding, previous: Binding, at: FieldPath) =>
    isSame(roleRef, previous.roleRef)
      ? []
      : [field.invalid(at('roleRef'), roleRef, 'cannot change roleRef')],
  columns: [
    text('Role', 'What is granted.', ({ roleRef }: Binding) => `${roleRef.kind}/${roleRef.name}`),
    wide(text('Users', 'To whom.', named('User'))),
    wide(text('Groups', 'To whom.', named('Group'))),
    wide(text('ServiceAccounts', 'To whom.', named('ServiceAccount'))),
  ],
});

const inNamespace = bindingDeclaration(['Role', 'ClusterRole']);

export type RoleBinding = KubeObject<typeof inNamespace.fields>;

export const RoleBinding: Kind<typeof inNamespace.fields> = kind({
  ...inNamespace,
  kind: 'RoleBinding',
  about: 'Lets users, groups and ServiceAccounts do in its namespace what a role says.',
});

const inCluster = bindingDeclaration(['ClusterRole']);

export type ClusterRoleBinding = KubeObject<typeof inCluster.fields>;

export const ClusterRoleBinding: Kind<typeof inCluster.fields> = kind({
  ...inCluster,
  kind: 'ClusterRoleBinding',
  namespaced: false,
  about: 'Lets users, groups and ServiceAccounts do everywhere what a ClusterRole says.',
});

function withSubjectGroups({ subjects, ...rest }: Binding): Binding {
  if (!subjects) return rest;
  return { ...rest, subjects: subjects.map((one) => ({ ...groupOf(one), ...one })) };
}

/** None is shown for a ServiceAccount: `kubectl apply` compares whole lists. */
const groupOf = ({ kind }: Subject) => (kind === 'ServiceAccount' ? {} : { apiGroup: rbacGroup });

function checkSubject(subject: Subject, at: FieldPath): field.FieldErrors {
  const { apiGroup = '', kind, name, namespace } = subject;
  const isAccount = kind === 'ServiceAccount';
  const { apiGroup: group = '' } = groupOf(subject);
  return field.errorsOf(
    name === '' && field.required(at('name')),
    apiGroup !== group && field.notOneOf(at('apiGroup'), apiGroup, [group]),
    isAccount && !namespace && field.required(at('namespace')),
    isAccount && namespace && field.check(at('namespace'), namespace, checkDnsLabel),
    !isAccount && namespace && field.forbidden(at('namespace'), 'of ServiceAccounts only'),
  );
}

function named(kind: Subject['kind']) {
  return ({ subjects = [] }: Binding) =>
    subjects
      .filter((subject) => subject.kind === kind)
      .map(({ namespace, name }) => (namespace ? `${namespace}/${name}` : name))
      .join(', ');
}
