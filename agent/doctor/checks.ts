import { cidrContains, parseIpv4Cidr } from '../../base/ipv4.ts';

type Level = 'remark' | 'warn' | 'FAIL';
type Need = readonly [level: Level, what: string, mend: string];

/** What went wrong, by need. */
export type Faults<N> = Readonly<Partial<Record<keyof N, string>>>;

/** What an agent can't do without: tried for real, by the agent itself at its start, too. */
export const agentNeeds = {
  kernel: ['FAIL', 'kernel 5.19 or later', 'install one: Debian 12 and Ubuntu 24.04 have it'],
  cgroups: ['FAIL', 'cgroups to write', 'boot with systemd.unified_cgroup_hierarchy=1'],
  sandbox: ['FAIL', 'namespaces, of users too', 'sysctl user.max_user_namespaces=65536'],
  overlay: ['FAIL', 'overlayfs', 'modprobe overlay; have --data-dir on ext4, xfs or btrfs'],
  idmap: ['FAIL', 'layers with other users', 'have --data-dir on ext4, xfs or btrfs'],
  seccomp: ['FAIL', 'filters of system calls', 'apt install libseccomp2'],
  nftables: ['FAIL', 'nftables', 'apt install libnftables1; modprobe nf_tables'],
  sysctl: ['FAIL', 'network parameters to write', 'give it a writable /proc/sys'],
} as const satisfies Record<string, Need>;

/** Tried in a network namespace of their own. */
export const networkNeeds = {
  rules: [
    'FAIL',
    'rules of Services',
    'modprobe -a nft_chain_nat nft_masq nft_fib_ipv4 nft_numgen',
  ],
  links: ['FAIL', 'links of pods', 'modprobe veth'],
} as const satisfies Record<string, Need>;

export const hostNeeds = {
  ports: ['FAIL', 'ports', 'ss -lntp tells who has them; see api-address and agent-address'],
  clock: ['warn', 'clock set by the network', 'apt install systemd-timesyncd, or chrony'],
  sameTime: ['FAIL', "the controller's time", 'have both clocks set by the network'],
  disk: ['FAIL', 'room on the disk', 'make some, or have --data-dir on a larger disk'],
  memory: ['warn', 'memory', 'take a larger machine: orc alone needs some 300 MiB'],
  swap: ['remark', 'no swap', 'swapoff -a: limits of memory leave it out'],
  hostname: ['warn', 'the name of this host', 'put it into /etc/hosts'],
  addresses: ['FAIL', "the cluster's addresses", 'choose another pod-cidr or service-cidr'],
  firewall: ['warn', 'no firewall before pods', "let it accept what has a pod's address"],
} as const satisfies Record<string, Need>;

/** How a machine is. */
export interface HostFacts {
  readonly takenPorts: readonly number[];
  /** undefined: nobody knows. */
  readonly isClockSynchronised: boolean | undefined;
  /** To the controller's clock; undefined: there is none to compare with. */
  readonly secondsOff: number | undefined;
  readonly freeDiskPercent: number;
  readonly freeInodesPercent: number;
  readonly memoryBytes: number;
  readonly hasSwap: boolean;
  readonly isHostnameKnown: boolean;
  /** Destinations that aren't orc's own. */
  readonly routes: readonly string[];
  readonly clusterCidrs: readonly string[];
  /** Chains of others that drop what the host forwards: "ip filter FORWARD". */
  readonly droppingChains: readonly string[];
}

export function hostFaults(facts: HostFacts): Faults<typeof hostNeeds> {
  const { takenPorts, isClockSynchronised, secondsOff = 0, clusterCidrs, droppingChains } = facts;
  const free = Math.floor(Math.min(facts.freeDiskPercent, facts.freeInodesPercent));
  const routes = facts.routes.filter((one) => clusterCidrs.some((cidr) => overlap(one, cidr)));
  const memory = Math.round(facts.memoryBytes / 2 ** 20);
  const faults: readonly (readonly [keyof typeof hostNeeds, boolean, string])[] = [
    ['ports', takenPorts.length > 0, `something else listens at ${takenPorts.join(', ')}`],
    ['clock', !isClockSynchronised, isClockSynchronised === undefined ? 'unknown' : 'it is not'],
    ['sameTime', Math.abs(secondsOff) > 60, `this clock is off by ${secondsOff} seconds`],
    ['disk', free < 10, `${free}% of bytes or inodes are free: the node gets no pods`],
    ['memory', memory < 900, `only ${memory} MiB`],
    ['swap', facts.hasSwap, 'there is some'],
    ['hostname', !facts.isHostnameKnown, 'it has no address'],
    ['addresses', routes.length > 0, `${routes.join(', ')} is routed elsewhere already`],
    ['firewall', droppingChains.length > 0, `${droppingChains.join(', ')} drops by default`],
  ];
  return Object.fromEntries(faults.flatMap(([need, is, words]) => (is ? [[need, words]] : [])));
}

/** @param release as "6.1.0-18-amd64" */
export function kernelFault(release: string): string | undefined {
  const [major = 0, minor = 0] = release.split(/[.-]/).map(Number);
  if (major > 5 || (major === 5 && minor >= 19)) return undefined;
  return `with ${release} no pod can have users of its own over image layers`;
}

function overlap(one: string, other: string): boolean {
  const [a, b] = [parseIpv4Cidr(one), parseIpv4Cidr(other)];
  if (!a || !b || a.prefix === 0) return false;
  return cidrContains(a, b.first) || cidrContains(b, a.first);
}

export interface Finding {
  readonly result: 'ok' | Level;
  readonly what: string;
  readonly found?: string;
  readonly mend?: string;
}

export function judge<N extends Readonly<Record<string, Need>>>(
  needs: N,
  faults: Faults<N>,
): readonly Finding[] {
  return Object.entries(needs).map(([need, [level, what, mend]]) => {
    const found = faults[need];
    return found === undefined ? { result: 'ok', what } : { result: level, what, found, mend };
  });
}

export const formatFinding = ({ result, what, found, mend }: Finding): string =>
  `${result.padEnd(6)} ${what}${found === undefined ? '' : `: ${found} — ${mend}`}`;
