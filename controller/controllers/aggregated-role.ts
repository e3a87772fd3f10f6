import { ClusterRole } from '../../api/role.ts';
import { isSame } from '../../api/same.ts';
import { matchesSelector } from '../../api/selector.ts';
import type { Loop } from '../store/loop.ts';
import type { CacheReads } from '../store/objects.ts';

/** Gives ClusterRoles with an aggregationRule the rules of those that it selects. The key is the name. */
export const aggregatedRoleLoop: Loop = {
  name: 'clusterrole-aggregation-controller',
  workers: 1,
  wakes: ({ kind }, cache) =>
    kind === ClusterRole
      ? cache
          .list(ClusterRole)
          .filter(({ aggregationRule }) => aggregationRule)
          .map(({ metadata }) => metadata.name)
      : [],
  async reconcile(name, { cache, objects }) {
    const role = cache.get(ClusterRole, { namespace: '', name });
    if (!role?.aggregationRule) return;
    const rules = rulesSelected(role, cache);
    if (isSame(rules, role.rules ?? [])) return;
    await objects.update(ClusterRole, { ...role, rules }, 'main');
  },
};

/** Each once; a role isn't its own source. */
function rulesSelected({ metadata, aggregationRule }: ClusterRole, cache: CacheReads) {
  const selectors = aggregationRule?.clusterRoleSelectors ?? [];
  const rules = cache
    .list(ClusterRole)
    .filter((role) => role.metadata.name !== metadata.name)
    .filter((role) => selectors.some((one) => matchesSelector(one, role.metadata.labels)))
    .flatMap((role) => role.rules ?? []);
  return rules.filter((rule, at) => rules.findIndex((other) => isSame(rule, other)) === at);
}
