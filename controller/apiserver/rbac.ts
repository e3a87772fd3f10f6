import { ClusterRole, type PolicyRule, Role, rbacGroup } from '../../api/role.ts';
import type { ClusterRoleBinding, RoleBinding } from '../../api/role-binding.ts';
import { allows, type Deed, everything } from '../../api/rule-cover.ts';
import { administrators, type User } from '../../api/user-info.ts';
import { bindingsBySubject, clusterBindingsBySubject } from '../store/indexes.ts';
import type { CacheReads } from '../store/objects.ts';

/** Role-based access control, with Kubernetes' meaning: over the cache's roles and bindings, and pure. */

/** In a namespace; "": in all of them, or of the cluster. */
export type Asked = Deed & { readonly namespace: string };

export interface Decision {
  readonly allowed: boolean;
  /** Which roles are bound and not there; may be "". */
  readonly reason: string;
}

export function decide(user: User, asked: Asked, cache: CacheReads): Decision {
  if (isAdministrator(user)) return { allowed: true, reason: '' };
  const missing = new Set<string>();
  for (const binding of bindingsOf(user, asked.namespace, cache)) {
    const rules = rulesBehind(binding, cache);
    if (rules?.some((rule) => allows(rule, asked))) return { allowed: true, reason: '' };
    const { kind, name } = binding.roleRef;
    if (!rules) missing.add(`${kind.toLowerCase()}.${rbacGroup} "${name}" not found`);
  }
  const words = [...missing].join(', ');
  const reason = missing.size > 1 ? `RBAC: [${words}]` : words && `RBAC: ${words}`;
  return { allowed: false, reason };
}

/** All that the user may do in the namespace. */
export function rulesOf(user: User, namespace: string, cache: CacheReads): readonly PolicyRule[] {
  if (isAdministrator(user)) return everything;
  const bindings = [...bindingsOf(user, namespace, cache)];
  return bindings.flatMap((binding) => rulesBehind(binding, cache) ?? []);
}

export const isAdministrator = ({ groups }: User): boolean => groups.includes(administrators);

type Binding = RoleBinding | ClusterRoleBinding;

function* bindingsOf(
  { name, groups }: User,
  namespace: string,
  cache: CacheReads,
): Generator<Binding> {
  for (const subject of [`User ${name}`, ...groups.map((group) => `Group ${group}`)]) {
    yield* cache.byIndex(clusterBindingsBySubject, subject);
    if (namespace !== '') yield* cache.byIndex(bindingsBySubject, `${namespace}/${subject}`);
  }
}

/** undefined: there is no such role. */
function rulesBehind({ roleRef: { kind, name }, metadata }: Binding, cache: CacheReads) {
  const { namespace = '' } = metadata;
  const role =
    kind === 'Role'
      ? cache.get(Role, { namespace, name })
      : cache.get(ClusterRole, { namespace: '', name });
  return role && (role.rules ?? []);
}
