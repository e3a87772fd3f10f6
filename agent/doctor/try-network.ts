import { execFile } from 'node:child_process';
import { openSync } from 'node:fs';
import { promisify } from 'node:util';
import { openNftablesNetlink, openRouteNetlink } from '../kernel/netlink.ts';
import { createVeth } from '../kernel/rtnetlink.ts';
import { ruleKeeper } from '../network/rule-keeper.ts';
import { serviceRules } from '../network/service-rules.ts';
import type { NetworkTable } from '../ports.ts';
import type { Faults, networkNeeds } from './checks.ts';
import { attempt, withNftables } from './try-node.ts';

/** The word by which orc doctor is told that it is the child. */
export const insideWord = '__inside';

/** Has a child of this program try it where nobody else is. */
export async function tryNetwork(): Promise<Faults<typeof networkNeeds>> {
  const { execPath, execArgv, argv } = process;
  const child = [execPath, ...execArgv, argv[1] ?? '', 'doctor', insideWord];
  let answer = '{}';
  const ask = async () => void ({ stdout: answer } = await run('unshare', ['--net', ...child]));
  return { ...(await attempt('rules', ask)), ...JSON.parse(answer) };
}

const run = promisify(execFile);

/** Only in a network namespace that ends with this process. */
export const tryNetworkInside = async (): Promise<Faults<typeof networkNeeds>> => ({
  ...(await attempt('rules', tryRules)),
  ...(await attempt('links', tryLink)),
});

const tryRules = () =>
  withNftables((nftables) =>
    ruleKeeper(nftables, openNftablesNetlink()).apply(serviceRules(example, new Map(), [])),
  );

function tryLink(): void {
  const peerNamespaceFd = openSync('/proc/self/ns/net', 'r');
  createVeth(openRouteNetlink(), { name: 'orc0', peerName: 'orc1', peerNamespaceFd, mtu: 1500 });
}

/** A cluster with every kind of rule. */
const example: NetworkTable = {
  ...{ podCidr: '10.244.0.0/22', clusterPodCidr: '10.244.0.0/14', serviceCidr: '10.96.0.0/16' },
  ...{ clusterDomain: 'cluster.local', dnsServiceIp: '10.96.0.10', nodes: [] },
  services: [
    {
      ...{ namespace: 'a', name: 'a', clusterIp: '10.96.0.11', sessionAffinityMs: 1000 },
      ...{ addresses: [], externalName: undefined },
      ports: (['TCP', 'UDP'] as const).map((protocol) => ({
        ...{ name: protocol, protocol, port: 80, nodePort: 30_000 },
        endpoints: ['10.244.0.2', '10.244.4.2'].map((ip) => ({ ip, port: 80 })),
      })),
    },
  ],
};
