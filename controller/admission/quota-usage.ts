import { type Amounts, amountsOf, podAmounts } from '../../api/amounts.ts';
import { Event } from '../../api/event.ts';
import type { Kind } from '../../api/kind.ts';
import { Pod } from '../../api/pod.ts';
import { isPodFinished, qosClass } from '../../api/pod-facts.ts';
import type { PodSpec } from '../../api/pod-spec.ts';
import {
  computeResources,
  type ResourceQuota,
  requirementsOf,
  type ScopeRequirement,
} from '../../api/resource-quota.ts';
import { Service } from '../../api/service.ts';

/** What quotas count: pure, for admission and for the loop that counts again. */

/** The names by which a quota may limit objects of this kind. Events are never refused. */
export function quotaNames(kind: Kind): readonly string[] {
  const { group, plural, namespaced } = kind;
  if (!namespaced || kind === Event) return [];
  if (group !== '') return [`count/${plural}.${group}`];
  return [`count/${plural}`, ...(otherNames[plural] ?? [])];
}

const otherNames: Readonly<Record<string, readonly string[]>> = {
  pods: ['pods', ...computeResources],
  services: ['services', 'services.nodeports'],
  ...{ configmaps: ['configmaps'], secrets: ['secrets'], resourcequotas: ['resourcequotas'] },
};

/** What the object takes of each of the names. Objects don't change, so it is worked out once. */
export const usageOf = (kind: Kind, object: object): Amounts =>
  usages.getOrInsertComputed(object, () => measured(kind, object));

const usages = new WeakMap<object, Amounts>();

function measured(kind: Kind, object: object): Amounts {
  const [count = '', name = ''] = quotaNames(kind);
  if (kind === Pod) return new Map([...amountsOf({ [count]: '1' }), ...podUsage(object as Pod)]);
  const { type, ports = [] } = kind === Service ? (object as Service).spec : {};
  return amountsOf({
    [count]: '1',
    ...(name && { [name]: '1' }),
    ...(type === 'NodePort' && { 'services.nodeports': String(ports.length) }),
  });
}

/** One that has ended takes nothing any more. */
function podUsage(pod: Pod): Amounts {
  if (isPodFinished(pod)) return new Map();
  const requests = podAmounts(pod.spec, 'requests');
  const prefixed = (part: string, amounts: Amounts) =>
    Array.from(amounts, ([name, amount]) => [`${part}.${name}`, amount] as const);
  return new Map([
    ...amountsOf({ pods: '1' }),
    ...requests,
    ...prefixed('requests', requests),
    ...prefixed('limits', podAmounts(pod.spec, 'limits')),
  ]);
}

/** Whether the quota counts this object. Those with a scope are about pods. */
export const isInScope = ({ spec }: ResourceQuota, kind: Kind, object: object): boolean =>
  requirementsOf(spec).every(
    (requirement) => kind === Pod && isFulfilled(requirement, (object as Pod).spec),
  );

function isFulfilled({ scopeName, operator, values = [] }: ScopeRequirement, spec: PodSpec) {
  const { priorityClassName: name = '' } = spec;
  const isBestEffort = qosClass(spec) === 'BestEffort';
  const isOfClass = {
    In: values.includes(name),
    NotIn: !values.includes(name),
    Exists: name !== '',
    DoesNotExist: name === '',
  };
  return {
    BestEffort: isBestEffort,
    NotBestEffort: !isBestEffort,
    // A pod with activeDeadlineSeconds, which orc doesn't have.
    Terminating: false,
    NotTerminating: true,
    PriorityClass: isOfClass[operator],
  }[scopeName];
}
