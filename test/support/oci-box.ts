import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { startLauncher } from '../../agent/kernel/launcher.ts';
import type { Op } from '../../agent/kernel/op.ts';
import type { ExecSession, StartRequest } from '../../agent/kernel/shim.ts';
import type { Shim } from '../../agent/kernel/shim-client.ts';
import type { OciPlace } from '../../agent/oci/oci-place.ts';
import { checkOciSpec, type OciProcess, type OciSpec } from '../../agent/oci/oci-spec.ts';
import { planContainer, planExec } from '../../agent/oci/plan-container.ts';
import { type HookKind, hooksAtSyncs, planHook } from '../../agent/oci/plan-hook.ts';
import { planRequest } from '../../agent/oci/plan-request.ts';
import { planSpaces } from '../../agent/oci/plan-spaces.ts';
import { silentLog } from '../../base/log.ts';
import { nativeBinary } from '../../native/binary.ts';
import { makeBusyboxRoot } from './busybox.ts';
import { endShim } from './native-pod.ts';
import { logLines } from './runtime-host.ts';
import { waitFor } from './wait-for.ts';

/** Runs containers from configurations, as they are, on a root file system of busybox. */
export interface OciBox {
  readonly dir: string;
  readonly rootfs: string;
  readonly shim: Shim;
  /** Starts it, waits for its end, gives the lines that it has printed. */
  run(script: string, over?: Over): Promise<readonly string[]>;
  /** Its first process, which runs on. */
  start(script: string, over?: Over): Promise<Started>;
  end(): Promise<void>;
}

export interface Started {
  readonly pid: number;
  readonly container: string;
  readonly spec: OciSpec;
  /** Lines that it has printed so far. */
  lines(): readonly string[];
  /** What a process beside it has printed. */
  exec(script: string, process?: Partial<OciProcess>): Promise<readonly string[]>;
  stop(): Promise<void>;
}

export interface Over {
  readonly process?: Partial<OciProcess>;
  readonly linux?: Partial<OciSpec['linux']>;
  /** After the usual ones. */
  readonly mounts?: OciSpec['mounts'];
  readonly spec?: Partial<OciSpec>;
  readonly place?: Partial<OciPlace>;
  readonly request?: Partial<StartRequest>;
  /** Operations before those of the plan. */
  readonly before?: readonly Op[];
}

export async function openOciBox(): Promise<OciBox> {
  const dir = mkdtempSync(`${tmpdir()}/orc-oci-`);
  const rootfs = `${dir}/rootfs`;
  for (const name of ['rootfs', 'run', 'logs']) mkdirSync(`${dir}/${name}`);
  await makeBusyboxRoot(rootfs);
  const launcher = startLauncher({ binary: nativeBinary, log: silentLog });
  const shim = await launcher.startShim({ runDir: `${dir}/run`, cgroupProcs: [] });
  let count = 0;
  const start = (script: string, over: Over = {}) =>
    startIn({ dir, shim, container: `c${count++}` }, specOf(script, over), over);
  return {
    dir,
    rootfs,
    shim,
    start,
    async run(script, over) {
      const started = await start(script, over);
      await waitFor('its end', async () => {
        const all = await shim.list();
        return all.find(({ container }) => container === started.container)?.exit;
      });
      return started.lines();
    },
    async end() {
      await endShim(shim);
      launcher.close();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

interface Place {
  readonly dir: string;
  readonly shim: Shim;
  readonly container: string;
}

async function startIn(at: Place, spec: OciSpec, over: Over): Promise<Started> {
  const { dir, shim, container } = at;
  const place: OciPlace = { ...nowhere, bundle: dir, ...over.place };
  const logPath = `${dir}/logs/${container}`;
  for (const ops of planSpaces(spec)) await shim.run(ops);
  const syncs = hooksAtSyncs(spec).values();
  const runAll = async (kinds: readonly HookKind[], state: object) => {
    for (const kind of kinds)
      for (const hook of spec.hooks?.[kind] ?? [])
        await runHook(shim, planHook(hook, { kind, container, spec, place }), {
          ...{ ociVersion: spec.ociVersion, id: container, bundle: dir, kind },
          ...state,
        });
  };
  const { pid } = await shim.start({
    container,
    cgroup2Dir: undefined,
    logPath,
    logMaxBytes: 1_000_000,
    logMaxFiles: 1,
    ...planRequest(spec, { id: container, status: 'creating', bundle: dir }),
    stdin: 'none',
    ops: [...(over.before ?? []), ...planContainer(spec, place)],
    onSync: ({ pid }) => runAll(syncs.next().value ?? [], { pid, status: 'creating' }),
    ...over.request,
  });
  await runAll(['poststart'], { pid, status: 'running' });
  return {
    pid,
    container,
    spec,
    lines: () => logLines(logPath).map((line) => line.replace(/\r$/, '')),
    exec: async (script, process) => {
      const args = ['sh', '-c', script];
      const ops = planExec(
        { ...spec.process!, args, ...process },
        { container, linux: spec.linux ?? {}, place },
      );
      const { listener } = planRequest(spec, { id: container, status: 'running', bundle: dir });
      const streams = { stdin: false, terminal: undefined };
      return outputOf(await shim.exec({ container, ops, ...streams, listener }));
    },
    async stop() {
      await shim.kill(container, 9);
      await waitFor('its end', async () =>
        (await shim.list()).some((each) => each.container === container && each.exit),
      );
      await runAll(['poststop'], { status: 'stopped' });
    },
  };
}

async function runHook(shim: Shim, ops: readonly Op[], state: object): Promise<void> {
  const request = { container: 'hook', ops, stdin: true, terminal: undefined };
  const session = await shim.exec(request);
  session.write(Buffer.from(JSON.stringify(state)));
  session.endInput();
  const { exitCode } = await session.exited;
  if (exitCode !== 0) throw new Error(`the hook ended with ${exitCode}`);
}

async function outputOf(session: ExecSession): Promise<readonly string[]> {
  let text = '';
  session.onOutput((_, chunk) => {
    text += chunk.toString();
  });
  await session.exited;
  return text.split('\n').filter(Boolean);
}

const nowhere = {
  root: undefined,
  cgroups: [],
  attach: [],
  filter: undefined,
  modules: [],
  lockDevices: false,
} as const;

/** As read from JSON: what the schema doesn't know is not there. */
function specOf(script: string, over: Over): OciSpec {
  const capabilities = ['CAP_CHOWN', 'CAP_KILL', 'CAP_MKNOD', 'CAP_SETUID', 'CAP_SETGID'];
  const hidden = ['nosuid', 'nodev', 'noexec'];
  const mount = (type: string, destination: string, options: readonly string[]) => ({
    ...{ type, source: type, destination, options },
  });
  return checkOciSpec({
    ociVersion: '1.2.0',
    root: { path: 'rootfs' },
    process: {
      args: ['sh', '-c', `exec 2>&1; ${script}`],
      cwd: '/',
      env: ['PATH=/bin:/usr/bin:/sbin:/usr/sbin'],
      capabilities: { bounding: capabilities, effective: capabilities, permitted: capabilities },
      ...over.process,
    },
    mounts: [
      mount('proc', '/proc', hidden),
      mount('tmpfs', '/dev', ['nosuid', 'strictatime', 'mode=755', 'size=64k']),
      mount('devpts', '/dev/pts', ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'gid=5']),
      mount('tmpfs', '/dev/shm', [...hidden, 'mode=1777', 'size=64k']),
      mount('mqueue', '/dev/mqueue', hidden),
      mount('sysfs', '/sys', ['ro', ...hidden]),
      ...(over.mounts ?? []),
    ],
    linux: {
      namespaces: ['mount', 'pid', 'network', 'ipc', 'uts', 'cgroup'].map((type) => ({ type })),
      ...over.linux,
    },
    ...over.spec,
  });
}
