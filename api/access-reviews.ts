import type { FieldPath } from './field-error.ts';
import * as field from './field-error.ts';
import { kind } from './kind.ts';
import { policyRule } from './role.ts';
import * as s from './schema.ts';

/** authorization.k8s.io: questions about what may be done. They are answered, never stored. */

const accessFields = {
  resourceAttributes: s
    .obj({
      ...s.all(s.str(), 'namespace', 'verb', 'group', 'version', 'resource', 'subresource', 'name'),
      ...s.unsupportedFields('fieldSelector labelSelector'),
    })
    .doc('A request for a resource.'),
  nonResourceAttributes: s
    .obj(s.all(s.str(), 'path', 'verb'))
    .doc('A request for another path, such as /metrics.'),
};

export type Access = s.ObjectOf<typeof accessFields>;

const subjectFields = {
  ...s.all(s.str(), 'user', 'uid'),
  groups: s.list(s.str()),
  extra: s.map(s.list(s.str())),
};

type Subject = s.ObjectOf<typeof subjectFields>;

const status = s
  .obj({
    ...s.all(s.bool(), 'allowed', 'denied'),
    ...s.all(s.str().doc('Why not.'), 'reason', 'evaluationError'),
  })
  .default({});

const ownFields = { spec: s.obj(accessFields).required(), status };
const fields = { spec: s.obj({ ...accessFields, ...subjectFields }).required(), status };

const rulesFields = {
  spec: s.obj({ namespace: s.str() }).required(),
  status: s
    .obj({
      ...s.all(s.list(policyRule), 'resourceRules', 'nonResourceRules'),
      incomplete: s.bool(),
      evaluationError: s.str(),
    })
    .default({}),
};

const shared = {
  group: 'authorization.k8s.io',
  namespaced: false,
  verbs: ['create'],
  columns: [],
} as const;

export const SelfSubjectAccessReview = kind({
  ...shared,
  kind: 'SelfSubjectAccessReview',
  about: 'Asks whether one may do something: `kubectl auth can-i`.',
  fields: ownFields,
  validate: ({ spec }, at) => checkAccess(spec, at('spec')),
});

export const SelfSubjectRulesReview = kind({
  ...shared,
  kind: 'SelfSubjectRulesReview',
  about: 'Asks for all that one may do in a namespace: `kubectl auth can-i --list`.',
  fields: rulesFields,
});

export const SubjectAccessReview = kind({
  ...shared,
  kind: 'SubjectAccessReview',
  about: 'Asks whether somebody may do something.',
  fields,
  validate: ({ spec }, at) => checkSubjectAccess(spec, at('spec')),
});

export const LocalSubjectAccessReview = kind({
  ...shared,
  kind: 'LocalSubjectAccessReview',
  namespaced: true,
  about: 'Asks whether somebody may do something in this namespace.',
  fields,
  validate: ({ metadata, spec }, at) => {
    const { namespace = '' } = spec.resourceAttributes ?? {};
    const path = at('spec')('resourceAttributes')('namespace');
    return field.errorsOf(
      checkSubjectAccess(spec, at('spec')),
      namespace !== metadata.namespace &&
        field.invalid(path, namespace, 'must match metadata.namespace'),
    );
  },
});

const checkSubjectAccess = (spec: Access & Subject, at: FieldPath) =>
  field.errorsOf(
    checkAccess(spec, at),
    !spec.user &&
      !spec.groups?.length &&
      field.invalid(at('user'), '', 'at least one of user or group must be specified'),
  );

const checkAccess = ({ resourceAttributes, nonResourceAttributes }: Access, at: FieldPath) =>
  Boolean(resourceAttributes) === Boolean(nonResourceAttributes)
    ? [field.invalid(at('resourceAttributes'), resourceAttributes ?? null, bothOrNone)]
    : [];

const bothOrNone = 'exactly one of nonResourceAttributes or resourceAttributes must be specified';
