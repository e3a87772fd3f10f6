import { type Amounts, amountsOf, formatAmounts, sumOf } from '../../api/amounts.ts';
import * as field from '../../api/field-error.ts';
import { Pod } from '../../api/pod.ts';
import { formatQuantity } from '../../api/quantity.ts';
import { computeResources, ResourceQuota } from '../../api/resource-quota.ts';
import { forbidden, invalid } from '../../api/status.ts';
import { keyOf } from '../store/keys.ts';
import type { Alongside, Cache } from '../store/objects.ts';
import { type Admission, type Candidate, isOf } from './admission.ts';
import { isInScope, quotaNames, usageOf } from './quota-usage.ts';

/** A quota for what isn't served here, or isn't counted, would be kept by nobody. */
export const checkQuotaNames: Admission = async (candidate, { cache }) => {
  const { object, shownName } = candidate;
  if (!isOf(candidate, ResourceQuota)) return object;
  const known = new Set(cache.kinds.all.flatMap(quotaNames));
  const at = field.fieldPath('spec')('hard');
  const errors = Object.keys(candidate.object.spec.hard ?? {})
    .filter((name) => !known.has(name))
    .map((name) => field.unsupported(at(name)));
  if (errors.length > 0) throw invalid(ResourceQuota, shownName, errors);
  return object;
};

/**
 * What a write adds to its namespace's quotas, for the transaction that writes it: so whatever is written is counted, by
 * however many controllers, and nothing is counted that wasn't written.
 */
export function quotaCharges(candidate: Candidate, cache: Cache): readonly Alongside[] {
  const { kind, object, previous } = candidate;
  const { namespace } = object.metadata;
  const quotas = namespace ? cache.list(ResourceQuota, namespace) : [];
  if (quotas.length === 0 || quotaNames(kind).length === 0) return [];
  const added = increase(usageOf(kind, object), previous && usageOf(kind, previous));
  return quotas
    .filter((quota) => isInScope(quota, kind, object))
    .map((quota) => ({
      kind: ResourceQuota,
      key: keyOf(quota),
      change: (present: ResourceQuota) => charged(present, added, candidate),
    }));
}

const increase = (next: Amounts, previous: Amounts = new Map()): Amounts =>
  new Map(
    Array.from(next, ([name, { nano, format }]) => {
      const more = nano - (previous.get(name)?.nano ?? 0n);
      return [name, { nano: more, format }] as const;
    }).filter(([, { nano }]) => nano > 0n),
  );

/** Throws Forbidden, in Kubernetes' words, where there is no room for it. */
function charged(quota: ResourceQuota, added: Amounts, candidate: Candidate) {
  const hard = amountsOf(quota.status.hard);
  const { name } = quota.metadata;
  const refuse = (why: string) => forbidden(candidate.kind, candidate.shownName, { why });
  const unsaid = unspecified(hard, candidate);
  if (unsaid.length > 0) throw refuse(`failed quota: ${name}: must specify ${unsaid.join('; ')}`);
  const requested = new Map(Array.from(added).filter(([resource]) => hard.has(resource)));
  if (requested.size === 0) return undefined;
  const used = amountsOf(quota.status.used);
  const next = sumOf([used, requested]);
  const exceeded = Array.from(requested.keys())
    .filter((resource) => (next.get(resource)?.nano ?? 0n) > (hard.get(resource)?.nano ?? 0n))
    .sort();
  if (exceeded.length === 0)
    return { ...quota, status: { ...quota.status, used: formatAmounts(next) } };
  const listed = (amounts: Amounts) =>
    exceeded.map((one) => `${one}=${formatQuantity(amounts.get(one) ?? zero)}`).join(',');
  throw refuse(
    `exceeded quota: ${name}, requested: ${listed(requested)}, used: ${listed(used)}, limited: ${listed(hard)}`,
  );
}

const zero = { nano: 0n, format: 'decimal' } as const;

/** What the quota limits and containers don't say: it couldn't be counted. "limits.cpu for: c1,c2" */
function unspecified(hard: Amounts, candidate: Candidate): readonly string[] {
  if (!isOf(candidate, Pod) || candidate.previous) return [];
  const { containers, initContainers = [] } = candidate.object.spec;
  return computeResources
    .filter((resource) => hard.has(resource))
    .toSorted()
    .flatMap((resource) => {
      const part = resource.startsWith('limits.') ? 'limits' : 'requests';
      const name = resource.replace(`${part}.`, '');
      const silent = [...containers, ...initContainers].filter(
        ({ resources }) => resources[part]?.[name] === undefined,
      );
      const names = silent.map((container) => container.name).sort();
      return names.length > 0 ? [`${resource} for: ${names.join(',')}`] : [];
    });
}
