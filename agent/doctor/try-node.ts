import { constants } from 'node:fs';
import { access, mkdir, rm, statfs } from 'node:fs/promises';
import { release } from 'node:os';
import { join } from 'node:path';
import { errorChain } from '../../base/error-chain.ts';
import { silentLog } from '../../base/log.ts';
import { nativeBinary } from '../../native/binary.ts';
import { findCgroupTrees } from '../kernel/cgroup-trees.ts';
import { startLauncher } from '../kernel/launcher.ts';
import { type Nftables, openNftables } from '../kernel/nftables.ts';
import type { Op } from '../kernel/op.ts';
import { compileSeccomp } from '../kernel/seccomp.ts';
import { connectShim } from '../kernel/shim-client.ts';
import { planPodSpaces } from '../oci/plan-spaces.ts';
import { agentNeeds, type Faults, formatFinding, judge, kernelFault } from './checks.ts';

/** Throws with all that this machine lacks. @param dataDir is there */
export async function mustSuit(dataDir: string): Promise<void> {
  const findings = judge(agentNeeds, await tryNode(dataDir));
  const bad = findings.filter(({ result }) => result !== 'ok').map(formatFinding);
  if (bad.length > 0) throw new Error(`this machine can't be a node\n${bad.join('\n')}`);
}

/** Changes nothing, and leaves nothing behind. */
export async function tryNode(dataDir: string): Promise<Faults<typeof agentNeeds>> {
  const kernel = kernelFault(release());
  return {
    ...(kernel !== undefined && { kernel }),
    ...(await attempt('cgroups', tryCgroups)),
    ...(await attempt('seccomp', () => compileSeccomp({ defaultAction: 'SCMP_ACT_ERRNO' }))),
    ...(await attempt('nftables', () => withNftables((nft) => nft.listTable('ip orc')))),
    ...(await attempt('sysctl', () => access('/proc/sys/net/ipv4/ip_forward', constants.W_OK))),
    ...(await trySandboxes(dataDir)),
  };
}

/** What went wrong, under the need's name. */
export async function attempt(need: string, act: () => unknown): Promise<Record<string, string>> {
  try {
    await act();
    return {};
  } catch (error) {
    return { [need]: errorChain(error) };
  }
}

export function withNftables<T>(use: (nftables: Nftables) => T): T {
  const nftables = openNftables();
  try {
    return use(nftables);
  } finally {
    nftables.close();
  }
}

async function tryCgroups(): Promise<void> {
  for (const { mount } of (await findCgroupTrees()).trees) await access(mount, constants.W_OK);
}

/** Each has in it what comes after it: only one that fails makes the next worth a trial. */
async function trySandboxes(dataDir: string): Promise<Record<string, string>> {
  const faults: Record<string, string> = {};
  const { bavail, files, ffree } = await statfs(dataDir);
  // A full disk is another matter: an agent must start, as it makes room.
  if (bavail < 100 || (files > 0 && ffree < 100)) return faults;
  const trials = { idmap: overlay(true), overlay: overlay(false), sandbox: [] };
  for (const [need, ops] of Object.entries(trials)) {
    const fault = await attempt(need, () => trySandbox(dataDir, ops));
    if (fault[need] === undefined) break;
    Object.assign(faults, fault);
  }
  return faults;
}

/** As many ids as a pod gets; who else has them doesn't matter here. */
const userNamespace = { firstId: 2_000_000_000, size: 65_536 };

/** In a shim as a pod has one, and a mount namespace that ends with the trial. */
async function trySandbox(dataDir: string, ops: readonly Op[]): Promise<void> {
  const dir = join(dataDir, '.doctor');
  await cleanUp(dir);
  const launcher = startLauncher({ binary: nativeBinary, log: silentLog });
  try {
    for (const name of ['run', 'layer', 'lower', 'upper', 'work', 'root'])
      await mkdir(join(dir, name), { recursive: true, mode: 0o700 });
    const shim = await launcher.startShim({ runDir: join(dir, 'run'), cgroupProcs: [] });
    await shim.run(planPodSpaces({ userNamespace, hostNetwork: false }));
    await shim.run([{ op: 'unshare', namespaces: ['mount'] }, { op: 'chdir', path: dir }, ...ops]);
  } finally {
    launcher.close();
    await cleanUp(dir);
  }
}

/** A trial that was killed midway has left its shim, too. */
async function cleanUp(dir: string): Promise<void> {
  await (await connectShim(join(dir, 'run')))?.shutdown();
  await rm(dir, { recursive: true, force: true });
}

/** As for a container's root. */
const overlay = (idmap: boolean): readonly Op[] => [
  { op: 'bind', source: 'layer', target: 'lower', flags: ['ro', 'nosuid', 'nodev'], idmap },
  {
    ...{ op: 'mount', source: 'overlay', target: 'root', fstype: 'overlay', flags: ['nodev'] },
    data: 'lowerdir=lower,upperdir=upper,workdir=work',
  },
];
