import type { Kind, KubeObject, NewObject } from '../../api/kind.ts';
import { Namespace } from '../../api/namespace.ts';
import { ClusterRole } from '../../api/role.ts';
import { ClusterRoleBinding } from '../../api/role-binding.ts';
import { isSame } from '../../api/same.ts';
import type { Fields } from '../../api/schema.ts';
import type { Loop, LoopDeps } from '../store/loop.ts';
import {
  autoupdate,
  type DefaultBinding,
  type DefaultRole,
  defaultBindings,
  defaultRoles,
} from './default-role-objects.ts';

/** Makes the default roles and bindings, and gives them back what they lack. More than that stays. The key is kind and name. */
export function defaultRolesLoop(kinds: readonly Kind[]): Loop {
  const ensure = new Map<string, (deps: LoopDeps) => Promise<void>>([
    ...defaultRoles(kinds).map((role) => ensuring(ClusterRole, role, withRules)),
    ...defaultBindings().map((binding) => ensuring(ClusterRoleBinding, binding, withSubjects)),
  ]);
  return {
    name: 'rbac-defaults',
    workers: 1,
    wakes: ({ kind, key }) => {
      // A namespace that is there from the start, when nothing else need be.
      if (kind === Namespace && key.name === 'kube-system') return [...ensure.keys()];
      const changed = `${kind.kind} ${key.name}`;
      return ensure.has(changed) ? [changed] : [];
    },
    reconcile: async (key, deps) => ensure.get(key)?.(deps),
  };
}

function ensuring<F extends Fields, O extends NewObject<F>>(
  kind: Kind<F>,
  wanted: O,
  completed: (stored: KubeObject<F>, wanted: O) => KubeObject<F>,
) {
  const { name = '' } = wanted.metadata;
  const ensure = async ({ cache, objects }: LoopDeps): Promise<void> => {
    const stored = cache.get(kind, { namespace: '', name });
    if (!stored) await objects.create(kind, wanted);
    else if (stored.metadata.annotations?.[autoupdate] !== 'false')
      await objects.update(kind, completed(stored, wanted), 'main');
  };
  return [`${kind.kind} ${name}`, ensure] as const;
}

const withRules = (role: ClusterRole, wanted: DefaultRole): ClusterRole => ({
  ...role,
  aggregationRule: role.aggregationRule ?? wanted.aggregationRule,
  rules: union(role.rules, wanted.rules),
});

const withSubjects = (binding: ClusterRoleBinding, { subjects }: DefaultBinding) => ({
  ...binding,
  subjects: union(binding.subjects, subjects),
});

const union = <T>(stored: readonly T[] = [], wanted: readonly T[] = []): readonly T[] => [
  ...stored,
  ...wanted.filter((one) => !stored.some((other) => isSame(one, other))),
];
