import { execFile } from 'node:child_process';
import { lookup } from 'node:dns/promises';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { get } from 'node:https';
import { createServer } from 'node:net';
import { hostname } from 'node:os';
import { promisify } from 'node:util';
import { measureNode } from '../housekeeping/node-measure.ts';
import { openRouteNetlink } from '../kernel/netlink.ts';
import { listRoutes } from '../kernel/rtnetlink.ts';
import { nodeRouteProtocol } from '../network/node-routes.ts';
import { podRouteProtocol } from '../network/pod-link.ts';
import type { HostFacts } from './checks.ts';
import { withNftables } from './try-node.ts';

export interface Surroundings {
  /** On the file system that counts. */
  readonly path: string;
  readonly clusterCidrs: readonly string[];
  /** URL of a controller, whose clock this one is compared with. */
  readonly api: string | undefined;
  /** That nobody is to listen at yet. */
  readonly ports: readonly number[];
  readonly nowMs: () => number;
}

/** Changes nothing. */
export async function lookAround(around: Surroundings): Promise<HostFacts> {
  const { path, clusterCidrs, api, ports, nowMs } = around;
  const { disk, memory } = await measureNode(path);
  const taken = await Promise.all(ports.map(isTaken));
  return {
    takenPorts: ports.filter((_, i) => taken[i]),
    isClockSynchronised: await known(isClockSynchronised()),
    secondsOff: api === undefined ? undefined : await known(secondsOff(api, nowMs)),
    freeDiskPercent: disk.freePercent,
    freeInodesPercent: disk.freeInodesPercent,
    memoryBytes: memory.totalBytes,
    hasSwap: (await readFile('/proc/swaps', 'utf8')).trim().includes('\n'),
    isHostnameKnown: (await known(lookup(hostname()))) !== undefined,
    routes: foreignRoutes(),
    clusterCidrs,
    droppingChains: ['ip filter', 'inet filter', 'inet firewalld'].flatMap(droppingChains),
  };
}

/** undefined where it can't be found out. */
const known = <T>(answer: Promise<T>): Promise<T | undefined> => answer.catch(() => undefined);

/** The agent's DNS has an address of its own: as free as this one, unless somebody has port 53 of them all. */
async function isTaken(port: number): Promise<boolean> {
  const server = createServer().listen(port, port === 53 ? '127.83.53.53' : '0.0.0.0');
  try {
    await once(server, 'listening');
    server.close();
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EADDRINUSE';
  }
}

async function isClockSynchronised(): Promise<boolean> {
  const show = ['show', '--property=NTPSynchronized', '--value'];
  return (await promisify(execFile)('timedatectl', show)).stdout.trim() === 'yes';
}

/** By the Date of its answer, whoever gives it: nothing is told to it. */
async function secondsOff(api: string, nowMs: () => number): Promise<number> {
  const signal = AbortSignal.timeout(3000);
  const request = get(`${api}/livez`, { rejectUnauthorized: false, signal });
  const [answer] = (await once(request, 'response')) as [IncomingMessage];
  answer.destroy();
  return Math.round((nowMs() - Date.parse(answer.headers.date ?? '')) / 1000);
}

function foreignRoutes(): readonly string[] {
  const netlink = openRouteNetlink();
  const own = [nodeRouteProtocol, podRouteProtocol];
  const routes = listRoutes(netlink, 0).filter(({ protocol }) => !own.includes(protocol));
  netlink.close();
  return routes.map(({ destination, prefix }) => `${destination}/${prefix}`);
}

/** None where nftables can't be asked: its own trial says so. */
function droppingChains(table: string): readonly string[] {
  let found: readonly unknown[] | undefined;
  try {
    found = withNftables((nftables) => nftables.listTable(table));
  } catch {
    return [];
  }
  const chains = (found ?? []) as readonly { readonly chain?: Record<string, string> }[];
  return chains.flatMap(({ chain }) =>
    chain?.hook === 'forward' && chain.policy === 'drop' ? [`${table} ${chain.name}`] : [],
  );
}
