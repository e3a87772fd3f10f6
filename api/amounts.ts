import type { Container } from './container.ts';
import type { PodSpec } from './pod-spec.ts';
import { formatQuantity, type Quantity, quantityOf } from './quantity.ts';

/** By the name of the resource, as objects have it: {cpu: "500m", memory: "1Gi"}. */
export type ResourceList = Readonly<Record<string, string>>;

/** The same, to count with. */
export type Amounts = ReadonlyMap<string, Quantity>;

export const amountsOf = (list: ResourceList = {}): Amounts =>
  new Map(Object.entries(list).map(([name, text]) => [name, quantityOf(text)]));

export const formatAmounts = (amounts: Amounts): ResourceList =>
  Object.fromEntries(Array.from(amounts, ([name, amount]) => [name, formatQuantity(amount)]));

/** Each in the format of the first that isn't nothing. */
export const sumOf = (lists: Iterable<Amounts>): Amounts =>
  combine(lists, (a, b) => ({ nano: a.nano + b.nano, format: (a.nano === 0n ? b : a).format }));

/** What a pod's containers ask for or may have: all together, or the greediest init container where that is more. */
export function podAmounts(
  { containers, initContainers = [] }: Pick<PodSpec, 'containers' | 'initContainers'>,
  part: 'requests' | 'limits',
): Amounts {
  const of = ({ resources }: Container) => amountsOf(resources[part]);
  const together = sumOf(containers.map(of));
  return combine([together, ...initContainers.map(of)], (a, b) => (a.nano >= b.nano ? a : b));
}

function combine(lists: Iterable<Amounts>, choose: (a: Quantity, b: Quantity) => Quantity) {
  const combined = new Map<string, Quantity>();
  for (const list of lists)
    for (const [name, amount] of list) {
      const before = combined.get(name);
      combined.set(name, before ? choose(before, amount) : amount);
    }
  return combined;
}
