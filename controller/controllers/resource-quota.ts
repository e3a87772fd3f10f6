import { formatAmounts, sumOf } from '../../api/amounts.ts';
import { ResourceQuota } from '../../api/resource-quota.ts';
import { isSame } from '../../api/same.ts';
import { isInScope, quotaNames, usageOf } from '../admission/quota-usage.ts';
import { formatKey, keyOf, parseKey } from '../store/keys.ts';
import type { Loop } from '../store/loop.ts';
import type { Cache, ObjectChange } from '../store/objects.ts';

/**
 * Counts again what each quota counts when something goes, or less of it is asked for. What comes is counted in the
 * transaction that writes it: so a count that is out of date loses its compare-and-swap.
 */
export const resourceQuotaLoop: Loop = {
  name: 'resourcequota-controller',
  workers: 2,
  wakes,
  async reconcile(key, { cache, objects }) {
    const quota = cache.get(ResourceQuota, parseKey(key));
    if (!quota) return;
    const { hard = {} } = quota.spec;
    const used = formatAmounts(usedOf(quota, cache));
    const counts = Object.keys(hard).map((name) => [name, used[name] ?? '0']);
    const status = { hard, used: Object.fromEntries(counts) as Readonly<Record<string, string>> };
    if (isSame(quota.status, status)) return;
    await objects.update(ResourceQuota, { ...quota, status }, 'status');
  },
};

function wakes({ kind, key, object, previous }: ObjectChange, cache: Cache): readonly string[] {
  const own = kind === ResourceQuota ? [formatKey(key)] : [];
  if (key.namespace === '' || quotaNames(kind).length === 0) return own;
  const quotas = cache.list(ResourceQuota, key.namespace);
  if (quotas.length === 0) return own;
  const usage = (of: object) => formatAmounts(usageOf(kind, of));
  if (object && previous && isSame(usage(object), usage(previous))) return own;
  return [...own, ...quotas.map((quota) => formatKey(keyOf(quota)))];
}

function usedOf(quota: ResourceQuota, cache: Cache) {
  const { hard = {} } = quota.spec;
  const counted = cache.kinds.all.filter((kind) => quotaNames(kind).some((name) => name in hard));
  return sumOf(
    counted.flatMap((kind) =>
      cache
        .list(kind, quota.metadata.namespace)
        .filter((object) => isInScope(quota, kind, object))
        .map((object) => usageOf(kind, object)),
    ),
  );
}
