import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Launcher, startLauncher } from '../../agent/kernel/launcher.ts';
import { namespacePath } from '../../agent/kernel/namespace-path.ts';
import type { Op } from '../../agent/kernel/op.ts';
import { type Network, openNetwork } from '../../agent/network/network.ts';
import { planPodSpaces } from '../../agent/oci/plan-spaces.ts';
import type { AttachRequest, NetworkTable } from '../../agent/ports.ts';
import { systemClock } from '../../base/clock.ts';
import { silentLog } from '../../base/log.ts';
import { systemRng } from '../../base/rng.ts';
import { nativeBinary } from '../../native/binary.ts';
import { serveJson } from './json-child.ts';

/** The agent's network and nothing else of it, in the network namespace of a host that the test has made. */
let network: Network | undefined;

function opened(): Network {
  if (!network) throw new Error('not open');
  return network;
}

let launcher: Launcher | undefined;
const ended: (() => Promise<void>)[] = [];

function shims(): Launcher {
  launcher ??= startLauncher({ binary: nativeBinary, log: silentLog });
  return launcher;
}

serveJson({
  open: async ({ runDir }: { runDir: string }) => {
    const resolvConf = join(runDir, 'resolv.conf');
    network = await openNetwork({
      dataDir: runDir,
      resolvConf,
      clock: systemClock(),
      rng: systemRng(),
      log: silentLog,
    });
  },
  apply: (table: NetworkTable) => opened().apply(table),
  attach: async (request: Pick<AttachRequest, 'uid' | 'networkNamespace' | 'hostPorts'>) => {
    const runDir = await mkdtemp(join(tmpdir(), 'orc-shim-'));
    const shim = await shims().startShim({ runDir, cgroupProcs: [] });
    const path = request.networkNamespace;
    const inside: readonly Op[] = [
      { op: 'open-space', namespace: 'network', path },
      { op: 'join', namespace: 'network' },
    ];
    const runInside = (ops: readonly Op[]) => shim.run([...inside, ...ops]);
    try {
      return await opened().attach({ ...request, runInside });
    } finally {
      await shim.shutdown();
      await rm(runDir, { recursive: true });
    }
  },
  /** As `attach`, of a sandbox that a real shim has made, in a user namespace of its own. */
  attachSandbox: async ({ uid, runDir }: { uid: string; runDir: string }) => {
    const shim = await shims().startShim({ runDir, cgroupProcs: [] });
    ended.push(() => shim.shutdown());
    const userNamespace = { firstId: 1_000_000, size: 65_536 };
    await shim.run(planPodSpaces({ userNamespace, hostNetwork: false }));
    const networkNamespace = namespacePath(shim, 'network');
    const runInside = (ops: readonly Op[]) =>
      shim.run([{ op: 'join', namespace: 'network' }, ...ops]);
    const startedAt = performance.now();
    const { podIp } = await opened().attach({ uid, networkNamespace, runInside, hostPorts: [] });
    return { podIp, networkNamespace, tookMs: performance.now() - startedAt };
  },
  endSandboxes: async () => {
    for (const end of ended.splice(0)) await end();
    launcher?.close();
  },
  detach: ({ uid }: { uid: string }) => opened().detach(uid),
  find: ({ uid }: { uid: string }) => opened().find(uid),
  list: () => opened().list(),
  close: () => {
    launcher?.close();
    return opened().close();
  },
});
