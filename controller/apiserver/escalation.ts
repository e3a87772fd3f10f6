import type { Kind } from '../../api/kind.ts';
import { ClusterRole, type PolicyRule, Role, rbacGroup } from '../../api/role.ts';
import type { ClusterRoleBinding, RoleBinding } from '../../api/role-binding.ts';
import { everything, uncovered } from '../../api/rule-cover.ts';
import { forbidden, found } from '../../api/status.ts';
import type { User } from '../../api/user-info.ts';
import type { ApiServerDeps, Call } from './call.ts';
import { decide, isAdministrator, rulesOf } from './rbac.ts';

/** What is about to be written; `previous`: what it replaces. */
interface Write {
  readonly object: object;
  readonly previous?: object | undefined;
  readonly shownName: string;
}

type Deps = Pick<ApiServerDeps, 'cache' | 'objects'>;

/**
 * Nobody gives what he doesn't have: who writes a role must be allowed all that it allows, or to `escalate`; who binds
 * one the same, or to `bind` it.
 */
export async function checkEscalation(
  { kind, namespace, name, user }: Pick<Call, 'kind' | 'namespace' | 'name' | 'user'>,
  write: Write,
  deps: Deps,
): Promise<void> {
  if (kind.group !== rbacGroup || isAdministrator(user)) return;
  const { cache } = deps;
  const may = (verb: string, resource: string, name: string) =>
    decide(user, { verb, group: rbacGroup, resource, namespace, name }, cache).allowed;
  const check = (wanted: readonly PolicyRule[]) => {
    const lacking = uncovered(rulesOf(user, namespace, cache), wanted);
    if (lacking.length > 0) throw forbidden(kind, write.shownName, { why: refusal(user, lacking) });
  };
  if (roleKinds.includes(kind)) {
    if (!may('escalate', kind.plural, name)) check(rulesWritten(write));
    return;
  }
  const { roleRef } = write.object as RoleBinding | ClusterRoleBinding;
  if (may('bind', `${roleRef.kind.toLowerCase()}s`, roleRef.name)) return;
  check(await rulesBound(roleRef, namespace, deps));
}

const roleKinds: readonly Kind[] = [Role, ClusterRole];

/** What aggregates may come to hold anything, so only who has everything sets it, or takes it away. */
function rulesWritten({ object, previous }: Write): readonly PolicyRule[] {
  const { rules = [], aggregationRule } = object as ClusterRole;
  const before = previous as ClusterRole | undefined;
  return aggregationRule || before?.aggregationRule ? [...rules, ...everything] : rules;
}

/** As stored, not as cached: it may just have grown. Throws NotFound. */
async function rulesBound(
  { kind, name }: RoleBinding['roleRef'],
  namespace: string,
  { objects }: Deps,
): Promise<readonly PolicyRule[]> {
  const role =
    kind === 'Role'
      ? found(Role, name, await objects.get(Role, { namespace, name }))
      : found(ClusterRole, name, await objects.get(ClusterRole, { namespace: '', name }));
  return role.rules ?? [];
}

/** So many show what kind of thing is lacking. */
const maxShown = 50;

function refusal({ name, groups }: User, lacking: readonly PolicyRule[]): string {
  const quoted = groups.map((group) => JSON.stringify(group)).join(' ');
  const rules = lacking.slice(0, maxShown).map(describe).join('\n');
  return `user "${name}" (groups=[${quoted}]) is attempting to grant RBAC permissions not currently held:\n${rules}`;
}

/** {APIGroups:[""], Resources:["pods"], Verbs:["get"]} */
function describe({ apiGroups, resources, resourceNames, nonResourceURLs, verbs }: PolicyRule) {
  const lists = Object.entries({
    ...{ APIGroups: apiGroups, Resources: resources, ResourceNames: resourceNames },
    ...{ NonResourceURLs: nonResourceURLs, Verbs: verbs },
  });
  const given = lists.filter(([, list]) => list !== undefined);
  return `{${given.map(([name, list]) => `${name}:${JSON.stringify(list)}`).join(', ')}}`;
}
