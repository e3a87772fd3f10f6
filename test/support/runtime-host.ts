import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { freezable } from '../../agent/kernel/cgroup-end.ts';
import { findCgroupTrees } from '../../agent/kernel/cgroup-trees.ts';
import { type Cgroups, openCgroups } from '../../agent/kernel/cgroups.ts';
import { type Launcher, startLauncher } from '../../agent/kernel/launcher.ts';
import type { Container, ContainerSpec, SandboxSpec } from '../../agent/ports.ts';
import { openRuntime, type Runtime } from '../../agent/runtime/runtime.ts';
import { systemClock } from '../../base/clock.ts';
import { silentLog } from '../../base/log.ts';
import { nativeBinary } from '../../native/binary.ts';
import { sandboxSpec } from '../contract/sandbox-port.contract.ts';
import { makeBusyboxRoot } from './busybox.ts';
import { containerSpec, imageOf } from './container-spec.ts';
import { waitFor } from './wait-for.ts';

const never = new AbortController().signal;

/** A host's runtime in a directory and cgroups of its own, with an image of two layers. */
export interface RuntimeHost {
  readonly dir: string;
  readonly layers: readonly string[];
  readonly cgroups: Cgroups;
  readonly launcher: Launcher;
  /** The present agent's; `restart` replaces it. */
  runtime: Runtime;
  /** A new agent over the same directories, its launcher too. */
  restart(): Promise<void>;
  /** A container of pod `a` that runs this with busybox' shell. */
  spec(script: string, over?: Partial<ContainerSpec>): ContainerSpec;
  sandbox(over?: Partial<SandboxSpec>): Promise<void>;
  /** Starts it, waits for its end, gives what it has printed. */
  run(script: string, over?: Partial<ContainerSpec>): Promise<Ended>;
  state(name?: string, attempt?: number): Promise<Container | undefined>;
  shimPid(uid: string): number;
  end(): Promise<void>;
}

export interface Ended {
  readonly container: Container;
  readonly output: readonly string[];
}

export async function openRuntimeHost(
  runtimes: Readonly<Record<string, string>> = {},
): Promise<RuntimeHost> {
  const dir = mkdtempSync(`${tmpdir()}/orc-runtime-`);
  const layers = [`${dir}/layers/base`, `${dir}/layers/top`];
  for (const layer of layers) mkdirSync(layer, { recursive: true });
  await makeBusyboxRoot(layers[0]!);
  mkdirSync(`${layers[1]}/etc`);
  writeFileSync(`${layers[1]}/etc/passwd`, 'root:x:0:0::/root:/bin/sh\nweb:x:33:34::/:/bin/sh\n');
  writeFileSync(`${layers[1]}/etc/group`, 'root:x:0:\nweb:x:34:\nlogs:x:50:web\n');
  const parent = `orc-test-${process.pid}-${dir.slice(-6)}`;
  const trees = await findCgroupTrees();
  const cgroups = await openCgroups({ parent, trees, clock: systemClock() });
  const open = () => openAgent(dir, { cgroups, runtimes });
  let agent = await open();
  let attempts = 0;
  const host: RuntimeHost = {
    dir,
    layers,
    cgroups,
    launcher: agent.launcher,
    runtime: agent.runtime,
    async restart() {
      agent.runtime.close();
      agent.launcher.close();
      agent = await open();
      host.runtime = agent.runtime;
    },
    spec: (script, over = {}) =>
      containerSpec({
        image: imageOf(layers),
        command: ['sh', '-c', script],
        logPath: `${dir}/logs/default_pod-a_a/web/0.log`,
        ...over,
      }),
    sandbox: async (over) => {
      await host.runtime.sandboxes.ensure(sandboxSpec('a', over), never);
    },
    async run(script, over = {}) {
      const id = { uid: 'a', name: 'web', attempt: attempts++ };
      const logPath = `${dir}/logs/default_pod-a_a/web/${id.attempt}.log`;
      const spec = host.spec(script, { id, logPath, ...over });
      await host.runtime.containers.start(spec, never);
      const container = await waitFor(`the end of ${script}`, async () => {
        const found = await host.state(spec.id.name, spec.id.attempt);
        return found?.state === 'exited' && found;
      });
      return { container, output: logLines(spec.logPath) };
    },
    state: async (name = 'web', attempt = 0) => {
      const all = await host.runtime.containers.list('a');
      return all.find(({ id }) => id.name === name && id.attempt === attempt);
    },
    shimPid: (uid) => shimPid(cgroups, uid),
    async end() {
      for (const { uid } of await host.runtime.sandboxes.list())
        await host.runtime.sandboxes.remove(uid);
      host.runtime.close();
      agent.launcher.close();
      await cgroups.remove('');
      rmSync(dir, { recursive: true, force: true });
    },
  };
  return host;
}

async function openAgent(
  dir: string,
  host: { readonly cgroups: Cgroups; readonly runtimes: Readonly<Record<string, string>> },
) {
  const launcher = startLauncher({ binary: nativeBinary, log: silentLog });
  const runtime = await openRuntime({
    logLimits: { maxBytes: 10 * 2 ** 20, maxFiles: 5 },
    dataDir: `${dir}/data`,
    runDir: `${dir}/run`,
    logDir: `${dir}/logs`,
    ...host,
    launcher,
    clock: systemClock(),
    log: silentLog,
  });
  return { launcher, runtime };
}

function shimPid(cgroups: Cgroups, uid: string): number {
  const group = freezable(cgroups.directories(`shim${uid}`));
  return Number(readFileSync(`${group?.path}/cgroup.procs`, 'utf8').trim().split('\n')[0]);
}

/** Texts of a CRI log, both streams. */
export function logLines(path: string): readonly string[] {
  return readFileSync(path, 'utf8')
    .split('\n')
    .filter(Boolean)
    .map((line) => line.split(' ').slice(3).join(' '));
}
