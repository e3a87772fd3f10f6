import { readdir, readFile, readlink, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Rng } from '../../base/rng.ts';
import type { DevCluster } from './dev-cluster.ts';
import { runProgram } from './run-program.ts';

/** What may happen to a cluster at any moment. Each resolves when it has happened, or is over. */
export const misfortunes = {
  /** SIGKILL; whoever watches it starts it again. */
  agent: async (at) => kill(await roleOf(at, oneOf(namesOf(at, 'host'), at.rng))),
  controller: async (at) => kill(await roleOf(at, oneOf(namesOf(at, 'controller'), at.rng))),
  /** A member of etcd; nothing where the store is embedded. */
  store: async (at) => kill(await roleOf(at, oneOf(namesOf(at, 'etcd'), at.rng))),
  launcher: async (at) => kill(await childOf(await roleOf(at, oneOf(namesOf(at, 'host'), at.rng)))),
  async shim(at) {
    const shims = await shimsOf(at.cluster);
    if (shims.length > 0) kill(oneOf(shims, at.rng).pid);
  },
  /** Every process of a host ends at once, and what was in its memory is gone. */
  async reboot(at) {
    const host = oneOf(namesOf(at, 'host'), at.rng);
    const first = at.cluster.host(host).pid;
    for (const pid of await processesIn(first)) if (pid !== first) kill(pid);
    for (const name of await readdir('/run'))
      if (name.startsWith(`orc-dev-${at.cluster.pid}-`))
        await rm(join('/run', name, host), { recursive: true, force: true });
  },
  /** No packet to or from a host for some seconds: fewer or more than a node may be silent for. */
  async cut(at) {
    const host = oneOf(namesOf(at, ''), at.rng);
    await at.cluster.cable(host, 'down');
    await pause(at, 500, 8000);
    await at.cluster.cable(host, 'up');
  },
  /** A process gets no processor for some seconds. */
  async stall(at) {
    const pid = await roleOf(at, oneOf(namesOf(at, ''), at.rng));
    if (pid === undefined) return;
    process.kill(pid, 'SIGSTOP');
    await pause(at, 500, 8000);
    await resume(pid);
  },
} as const satisfies Readonly<Record<string, (at: Place) => Promise<void>>>;

export type Misfortune = keyof typeof misfortunes;

export interface Place {
  readonly cluster: DevCluster;
  /** Of hosts: "host1", "controller2", "etcd3" … */
  readonly names: readonly string[];
  readonly rng: Rng;
}

const namesOf = ({ names }: Place, kind: '' | 'host' | 'controller' | 'etcd') =>
  names.filter((name) => /^(host|controller|etcd)/.test(name) && name.startsWith(kind));

export const oneOf = <T>(things: readonly T[], rng: Rng): T =>
  things[Math.floor(rng.fraction() * things.length)] as T;

/** So long, or a moment less: never waited for a state, only to hit another moment. */
export const pause = ({ rng }: Pick<Place, 'rng'>, fromMs: number, toMs: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, fromMs + rng.fraction() * (toMs - fromMs)));

/** nsenter, which brought it into its host, has stopped with it. */
export async function resume(pid: number): Promise<void> {
  for (const stopped of [await parentOf(pid), pid]) process.kill(stopped, 'SIGCONT');
}

function kill(pid: number | undefined): void {
  try {
    if (pid !== undefined) process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** Of the role's own process: not the one that started it in its host. undefined: none, or it is being started. */
export async function roleOf(
  { cluster }: Pick<Place, 'cluster'>,
  role: string | undefined,
): Promise<number | undefined> {
  const flag = ` --data-dir ${cluster.dataDir}/${role} `;
  const all = await processes();
  return all.find(({ command }) => /^[^ ]*\/(node|etcd) /.test(command) && command.includes(flag))
    ?.pid;
}

async function childOf(pid: number | undefined): Promise<number | undefined> {
  if (pid === undefined) return undefined;
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '');
  const [first] = children.trim().split(' ');
  return first ? Number(first) : undefined;
}

interface Shim {
  readonly pid: number;
  readonly host: string;
  readonly uid: string;
}

/** Every pod's keeper on this machine that belongs to the cluster. A container in the making is its shim's child. */
export async function shimsOf({ pid }: DevCluster): Promise<readonly Shim[]> {
  const pattern = new RegExp(`^orc-shim /run/orc-dev-${pid}-\\d+/([^/]+)/pods/(\\S+)`);
  const found = (await processes()).flatMap(({ pid, command }) => {
    const [, host, uid] = pattern.exec(command) ?? [];
    return host && uid ? [{ pid, host, uid }] : [];
  });
  const parents = await Promise.all(found.map((shim) => parentOf(shim.pid)));
  return found.filter((_, i) => !found.some((shim) => shim.pid === parents[i]));
}

async function parentOf(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
}

async function processesIn(first: number): Promise<readonly number[]> {
  const own = await readlink(`/proc/${first}/ns/pid`);
  const all = await processes();
  const spaces = await Promise.all(
    all.map(({ pid }) => readlink(`/proc/${pid}/ns/pid`).catch(() => '')),
  );
  return all.filter((_, i) => spaces[i] === own).map(({ pid }) => pid);
}

interface Process {
  readonly pid: number;
  /** Arguments parted by spaces. */
  readonly command: string;
}

export async function processes(): Promise<readonly Process[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const looks = await Promise.allSettled(
    pids.map(async (pid) => {
      const command = await readFile(`/proc/${pid}/cmdline`, 'utf8');
      return { pid: Number(pid), command: command.replaceAll('\0', ' ').trim() };
    }),
  );
  return looks.flatMap((look) => (look.status === 'fulfilled' ? [look.value] : []));
}

/** How many links a host has to pods. */
export async function podLinks(cluster: DevCluster, host: string): Promise<number> {
  const at = ['--target', `${cluster.host(host).pid}`, '--net', '--'];
  const { out } = await runProgram('nsenter', [...at, 'ip', '-brief', 'link']);
  return out.split('\n').filter((line) => line.startsWith('orc')).length;
}

/** Control groups of pods on a host, by the pod's uid. */
export async function podGroups(cluster: DevCluster, host: string): Promise<readonly string[]> {
  const top = '/sys/fs/cgroup/pids';
  const own = (await readdir(top)).find((name) => name.startsWith(`orc-dev-${cluster.pid}-`));
  const names = own ? await readdir(join(top, own, host)).catch(() => []) : [];
  return names.flatMap((name) => /^pod(.+)/.exec(name)?.[1] ?? []);
}
