import { formatIpv4, parseIpv4Cidr } from '../../base/ipv4.ts';
import type { ClusterNetwork } from './control.ts';

/** The cluster's pod CIDR is cut into blocks, one per node. */
export type PodCidrPlan = Pick<ClusterNetwork, 'clusterPodCidr' | 'nodePrefix'>;

/** The lowest block that no node has; undefined: there is none left. Pure. */
export function freePodCidr(plan: PodCidrPlan, taken: ReadonlySet<string>): string | undefined {
  const cluster = parseIpv4Cidr(plan.clusterPodCidr);
  if (!cluster) throw new TypeError(`not an IPv4 CIDR: ${plan.clusterPodCidr}`);
  const size = 2 ** (32 - plan.nodePrefix);
  for (let first = cluster.first; first + size - 1 <= cluster.last; first += size) {
    const cidr = `${formatIpv4(first)}/${plan.nodePrefix}`;
    if (!taken.has(cidr)) return cidr;
  }
  return undefined;
}

/** Network, gateway and broadcast are no pod's. */
export const podsPerNode = ({ nodePrefix }: PodCidrPlan): number => 2 ** (32 - nodePrefix) - 3;
