import { podAmounts, type ResourceList } from '../../api/amounts.ts';
import type { Container } from '../../api/container.ts';
import type { FieldsOf, NewObject } from '../../api/kind.ts';
import { LimitRange, type LimitRangeItem } from '../../api/limit-range.ts';
import { Pod } from '../../api/pod.ts';
import { qosClass } from '../../api/pod-facts.ts';
import type { PodSpec } from '../../api/pod-spec.ts';
import { formatQuantity, type Quantity, quantityOf } from '../../api/quantity.ts';
import { forbidden } from '../../api/status.ts';
import { type Admission, isOf } from './admission.ts';

/** A new pod gets what its containers don't say, and is held to what its namespace allows. */
export const applyLimitRanges: Admission = async (candidate, { cache }) => {
  const { object, shownName } = candidate;
  if (!isOf(candidate, Pod) || candidate.previous) return object;
  const ranges = cache.list(LimitRange, object.metadata.namespace);
  const pod = withDefaults(
    candidate.object,
    ranges.flatMap(({ spec }) => spec.limits),
  );
  for (const { spec } of ranges) {
    const [why, ...more] = spec.limits.flatMap((item) => violations(item, pod.spec));
    if (why === undefined) continue;
    throw forbidden(Pod, shownName, {
      why: more.length > 0 ? `[${[why, ...more].join(', ')}]` : why,
    });
  }
  return pod;
};

type NewPod = NewObject<FieldsOf<typeof Pod>>;

function withDefaults(pod: NewPod, items: readonly LimitRangeItem[]): NewPod {
  const told: string[] = [];
  const defaults: Record<'requests' | 'limits', ResourceList> = {
    requests: firstOf(items.map((item) => item.defaultRequest)),
    limits: firstOf(items.map((item) => item.default)),
  };
  const fill = (what: string) => (container: Container) => {
    const parts = (['requests', 'limits'] as const).map((part) => {
      const given = container.resources[part] ?? {};
      const added = Object.keys(defaults[part]).filter((name) => !(name in given));
      if (added.length > 0)
        told.push(`${added.sort().join(', ')} ${part.slice(0, -1)} for ${what} ${container.name}`);
      return [part, added.length > 0 ? { ...defaults[part], ...given } : container.resources[part]];
    });
    return { ...container, resources: { ...container.resources, ...Object.fromEntries(parts) } };
  };
  const { metadata, status } = pod;
  const { containers, initContainers } = pod.spec;
  const spec = {
    ...pod.spec,
    containers: containers.map(fill('container')),
    ...(initContainers && { initContainers: initContainers.map(fill('init container')) }),
  };
  if (told.length === 0) return pod;
  const note = { 'kubernetes.io/limit-ranger': `LimitRanger plugin set: ${told.join('; ')}` };
  return {
    ...pod,
    metadata: { ...metadata, annotations: { ...metadata.annotations, ...note } },
    spec,
    status: { ...status, qosClass: qosClass(spec) },
  };
}

/** Of several the first that says something of a resource is heard. */
const firstOf = (lists: readonly (ResourceList | undefined)[]): ResourceList =>
  Object.assign({}, ...lists.toReversed());

/** What of it the pod breaks, in Kubernetes' words. */
function violations(item: LimitRangeItem, spec: PodSpec): readonly string[] {
  const all = [...spec.containers, ...(spec.initContainers ?? [])];
  const held = item.type === 'Pod' ? [spec] : all.map((container) => ({ containers: [container] }));
  return held.flatMap((containers) => {
    const requests = podAmounts(containers, 'requests');
    const limits = podAmounts(containers, 'limits');
    return rules.flatMap(({ list, label, flaw }) =>
      Object.entries(item[list] ?? {}).flatMap(([resource, text]) => {
        const [request, limit] = [requests.get(resource), limits.get(resource)];
        const said = flaw({ bound: quantityOf(text), request, limit });
        return said === undefined ? [] : [`${label(resource)} per ${item.type} is ${text}${said}`];
      }),
    );
  });
}

interface Measured {
  readonly bound: Quantity;
  readonly request: Quantity | undefined;
  readonly limit: Quantity | undefined;
}

const rules = [
  { list: 'min', label: (resource: string) => `minimum ${resource} usage`, flaw: tooLittle },
  { list: 'max', label: (resource: string) => `maximum ${resource} usage`, flaw: tooMuch },
  {
    list: 'maxLimitRequestRatio',
    label: (resource: string) => `${resource} max limit to request ratio`,
    flaw: tooFarApart,
  },
] as const;

const but = (what: string, amount: Quantity) => `, but ${what} is ${formatQuantity(amount)}`;

function tooLittle({ bound, request, limit }: Measured): string | undefined {
  if (!request) return '.  No request is specified';
  if (request.nano < bound.nano) return but('request', request);
  return limit && limit.nano < bound.nano ? but('limit', limit) : undefined;
}

function tooMuch({ bound, request, limit }: Measured): string | undefined {
  if (!limit) return '.  No limit is specified';
  if (limit.nano > bound.nano) return but('limit', limit);
  return request && request.nano > bound.nano ? but('request', request) : undefined;
}

function tooFarApart({ bound, request, limit }: Measured): string | undefined {
  if (!request?.nano) return ', but no request is specified or request is 0';
  if (!limit?.nano) return ', but no limit is specified or limit is 0';
  if (limit.nano * 1_000_000_000n <= bound.nano * request.nano) return undefined;
  return `, but provided ratio is ${(Number(limit.nano) / Number(request.nano)).toFixed(6)}`;
}
