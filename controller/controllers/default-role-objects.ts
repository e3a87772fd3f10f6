import { apiVersionOf, type FieldsOf, type Kind, type NewObject } from '../../api/kind.ts';
import { ClusterRole, type PolicyRule, rbacGroup } from '../../api/role.ts';
import { ClusterRoleBinding } from '../../api/role-binding.ts';
import { everything } from '../../api/rule-cover.ts';
import { administrators, authenticatedGroup } from '../../api/user-info.ts';

/** The roles that every cluster has, with Kubernetes' names, over the kinds that orc serves. Pure. */

export type DefaultRole = NewObject<FieldsOf<typeof ClusterRole>>;
export type DefaultBinding = NewObject<FieldsOf<typeof ClusterRoleBinding>>;

export const defaultRoles = (kinds: readonly Kind[]): readonly DefaultRole[] => [
  role('cluster-admin', { rules: everything }),
  role('admin', { gathers: 'admin' }),
  role('edit', { gathers: 'edit', goesInto: 'admin' }),
  role('view', { gathers: 'view', goesInto: 'edit' }),
  role('system:aggregate-to-admin', { goesInto: 'admin', rules: administering }),
  role('system:aggregate-to-edit', { goesInto: 'edit', rules: editing(kinds) }),
  role('system:aggregate-to-view', { goesInto: 'view', rules: viewing(kinds) }),
  role('system:discovery', { rules: [{ verbs: ['get'], nonResourceURLs: documents }] }),
  role('system:basic-user', { rules: askingAboutOneself }),
  role('system:public-info-viewer', { rules: [{ verbs: ['get'], nonResourceURLs: health }] }),
];

export const defaultBindings = (): readonly DefaultBinding[] => [
  binding('cluster-admin', administrators),
  binding('system:discovery', authenticatedGroup),
  binding('system:basic-user', authenticatedGroup),
  binding('system:public-info-viewer', authenticatedGroup, 'system:unauthenticated'),
];

/** Said with "false", the object is left as it is. */
export const autoupdate = 'rbac.authorization.kubernetes.io/autoupdate';

const metadataOf = (name: string, labels = {}) => ({
  name,
  annotations: { [autoupdate]: 'true' },
  labels: { 'kubernetes.io/bootstrapping': 'rbac-defaults', ...labels },
});

interface Parts {
  readonly rules?: readonly PolicyRule[];
  /** Takes the rules of all roles with this aim. */
  readonly gathers?: string;
  readonly goesInto?: string;
}

function role(name: string, { rules = [], gathers, goesInto }: Parts): DefaultRole {
  const aim = (of: string) => ({ [`${rbacGroup}/aggregate-to-${of}`]: 'true' });
  const clusterRoleSelectors = gathers && [{ matchLabels: aim(gathers) }];
  return {
    apiVersion: apiVersionOf(ClusterRole),
    kind: 'ClusterRole',
    metadata: metadataOf(name, goesInto && aim(goesInto)),
    ...(clusterRoleSelectors ? { aggregationRule: { clusterRoleSelectors } } : { rules }),
  };
}

function binding(name: string, ...groups: readonly string[]): DefaultBinding {
  return {
    apiVersion: apiVersionOf(ClusterRoleBinding),
    kind: 'ClusterRoleBinding',
    metadata: metadataOf(name),
    subjects: groups.map((group) => ({ apiGroup: rbacGroup, kind: 'Group', name: group })),
    roleRef: { apiGroup: rbacGroup, kind: 'ClusterRole', name },
  };
}

const reads = ['get', 'list', 'watch'];
const writes = ['create', 'delete', 'deletecollection', 'patch', 'update'];

/** Who reads them gains rights. */
const secret = ['secrets', 'roles', 'rolebindings'];
/** Written by orc itself, or by who shares out the cluster. */
const above = ['endpointslices', 'resourcequotas', 'limitranges', 'roles', 'rolebindings'];

const viewing = (kinds: readonly Kind[]): readonly PolicyRule[] => [
  ...byGroup(kinds, (kind) =>
    secret.includes(kind.plural)
      ? []
      : [kind.plural, ...subresources(kind, 'status', 'scale', 'log')],
  ).map((rule) => ({ ...rule, verbs: reads })),
  { apiGroups: [''], resources: ['namespaces', 'endpoints'], verbs: reads },
  { apiGroups: ['metrics.k8s.io'], resources: ['pods'], verbs: ['get', 'list'] },
];

const editing = (kinds: readonly Kind[]): readonly PolicyRule[] => [
  { apiGroups: [''], resources: ['secrets'], verbs: reads },
  { apiGroups: [''], resources: ['serviceaccounts'], verbs: ['impersonate'] },
  ...byGroup(kinds, (kind) =>
    above.includes(kind.plural) ? [] : [kind.plural, ...subresources(kind, 'scale')],
  ).map((rule) => ({ ...rule, verbs: writes })),
  ...byGroup(kinds, (kind) =>
    subresources(kind, 'exec', 'attach', 'portforward', 'eviction', 'token'),
  ).map((rule) => ({ ...rule, verbs: ['create', 'get'] })),
];

const administering: readonly PolicyRule[] = [
  { apiGroups: [rbacGroup], resources: ['roles', 'rolebindings'], verbs: [...reads, ...writes] },
  {
    apiGroups: ['authorization.k8s.io'],
    resources: ['localsubjectaccessreviews'],
    verbs: ['create'],
  },
];

const askingAboutOneself: readonly PolicyRule[] = [
  {
    apiGroups: ['authorization.k8s.io'],
    resources: ['selfsubjectaccessreviews', 'selfsubjectrulesreviews'],
    verbs: ['create'],
  },
  { apiGroups: ['authentication.k8s.io'], resources: ['selfsubjectreviews'], verbs: ['create'] },
];

const health = ['/healthz', '/livez', '/readyz', '/version', '/version/'];
const documents = ['/api', '/api/*', '/apis', '/apis/*', '/openapi', '/openapi/*', ...health];

const subresources = (kind: Kind, ...names: readonly string[]) =>
  kind.subresources.filter((name) => names.includes(name)).map((name) => `${kind.plural}/${name}`);

/** Of what is in namespaces, with a rule for each API group that has any. */
function byGroup(kinds: readonly Kind[], resourcesOf: (kind: Kind) => readonly string[]) {
  const namespaced = kinds.filter((kind) => kind.namespaced);
  return Object.entries(Object.groupBy(namespaced, ({ group }) => group))
    .map(([group, ofGroup = []]) => ({
      apiGroups: [group],
      resources: ofGroup.flatMap(resourcesOf),
    }))
    .filter(({ resources }) => resources.length > 0);
}
