import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { KubeConfig, type V1Node } from '@kubernetes/client-node';
import { afterEach, beforeEach } from 'vitest';
import { freePorts } from './etcd.ts';
import { type OrcRun, orc } from './orc-cli.ts';
import { type Run, runProgram } from './run-program.ts';
import { type Until, watchUntil } from './watch-until.ts';

const root = join(import.meta.dirname, '../..');

/** One testbed for all files of the project "hosts"; see deploy/testbed. */
export const testbedDir = join(root, '.orc/test-hosts');

/** A virtual machine, reached as root over ssh. */
export interface Machine {
  readonly name: string;
  /** Among the machines. */
  readonly address: string;
  /** Runs a shell's command line. Throws, with all that it said, unless it ends well. Resolves to its output. */
  run(command: string, deadlineMs?: number): Promise<string>;
  /** When a shell's condition holds. Asked on the machine itself, as each command from here costs it a second. */
  until(condition: string): Promise<void>;
  /** As `run`, however it ends. */
  try(command: string, deadlineMs?: number): Promise<Run>;
  /** Pulls the plug. */
  powerOff(): Promise<void>;
  /** Resolves when it can be reached. */
  powerOn(): Promise<void>;
  /** Restarts its system; resolves when it can be reached again. */
  reboot(): Promise<void>;
  /** The API of the controller on it, from here. Again after the machine was off. */
  connect(): Promise<Connected>;
}

/** Works with the API as its admin, from outside the machines: what it costs them is what the API itself costs. */
export interface Connected {
  readonly client: KubeConfig;
  readonly until: Until;
  orc(...args: readonly string[]): Promise<OrcRun>;
}

export const machines: readonly Machine[] = ['m1', 'm2', 'm3'].map(machine);

function machine(name: string, index: number): Machine {
  const attempt = (command: string, deadlineMs?: number) =>
    testbed(['ssh', name, command], deadlineMs);
  const run = async (command: string, deadlineMs?: number) =>
    outputOf(`${name}: ${command}`, await attempt(command, deadlineMs));
  const power = async (verb: string) => void outputOf(verb, await testbed([verb, name]));
  return {
    ...{ name, address: `10.88.0.1${index + 1}`, run, try: attempt },
    until: async (condition) => void (await run(`until ${condition}; do sleep 3; done`)),
    powerOff: () => power('power-off'),
    powerOn: () => power('power-on'),
    async reboot() {
      const bootId = 'cat /proc/sys/kernel/random/boot_id';
      const before = await run(bootId);
      await attempt('systemctl reboot');
      const again = async () => {
        const { code, out } = await attempt(bootId, 30_000);
        return code === 0 && out !== before;
      };
      await eventually(`${name} is up again`, again, 240_000);
    },
    connect: () => connect(name, run),
  };
}

/** With emulated processors. */
const slowMs = 240_000;

/** `deploy/testbed`, on this project's machines. */
export function testbed(words: readonly string[], deadlineMs = slowMs): Promise<Run> {
  const env = { TESTBED_DIR: testbedDir };
  return runProgram(join(root, 'deploy/testbed'), words, { env, timeout: deadlineMs });
}

export function outputOf(what: string, { code, out, err }: Run): string {
  if (code !== 0) throw new Error(`${what}\nended with ${code}\n${out}\n${err}`);
  return out;
}

async function connect(name: string, run: Machine['run']): Promise<Connected> {
  const text = await run('cat /var/lib/orc/controller/admin.kubeconfig');
  const [port] = await freePorts(1);
  const forward = ['-O', 'forward', '-L', `127.0.0.1:${port}:127.0.0.1:6443`];
  outputOf('forwarding a port', await testbed(['ssh', name, ...forward]));
  const client = new KubeConfig();
  client.loadFromString(text.replace(/https:\/\/[\d.]+:6443/g, `https://127.0.0.1:${port}`));
  const kubeconfig = join(testbedDir, `${name}.kubeconfig`);
  await writeFile(kubeconfig, client.exportConfig());
  return {
    client,
    until: (resource, holds, deadlineMs) =>
      watchUntil({ client, resource, deadlineMs: deadlineMs ?? slowMs }, holds),
    orc: (...args) => orc(args, { kubeconfig }),
  };
}

/** Resolves with the first answer that is neither false nor undefined. Asking costs the machines something: with pauses. */
export async function eventually<T>(
  what: string,
  ask: () => Promise<T | false | undefined>,
  deadlineMs = slowMs,
): Promise<T> {
  const until = performance.now() + deadlineMs;
  for (;;) {
    const answer = await ask();
    if (answer !== false && answer !== undefined) return answer;
    if (performance.now() > until) throw new Error(`${what}: not within ${deadlineMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 2000));
  }
}

/** What it did on all machines, in their order. */
export function onAll<T>(
  act: (machine: Machine) => Promise<T>,
  of: readonly Machine[] = machines,
): Promise<readonly T[]> {
  return Promise.all(of.map(act));
}

/** Of the package that machines carry; `next` has a higher version and is otherwise the same. */
export type Release = 'this' | 'next';

export const install = (release: Release) => (of: Machine) =>
  of.run(`sh /mnt/provision install /mnt/orc-${release}.deb`);

/** The first process of every container of the machine, as "PID STARTED", by the kernel's clock. */
export async function containersOf(of: Machine): Promise<readonly string[]> {
  const out = await of.run(`
    cd /sys/fs/cgroup/system.slice/orc-pods.service || exit 0
    find . -path '*/pod*/*' -name cgroup.procs -exec cat {} + |
      while read -r pid; do
        grep -q '^NSpid:.*[[:space:]]1$' /proc/$pid/status && cut -d' ' -f1,22 /proc/$pid/stat
      done | sort`);
  return out.split('\n').filter((line) => line !== '');
}

/** All that orc could leave on a machine, a line each. */
export async function tracesOn(of: Machine): Promise<readonly string[]> {
  const out = await of.run(`
    find / -xdev -iname '*orc*' -not -path '/proc/*' -not -path '/srv/*' | sed 's/^/file /'
    find /etc/systemd /usr/lib/systemd /run/systemd/system /run/systemd/generator* |
      grep -v '/session-[^/]*\\.scope' | sed 's/^/unit /'
    systemctl list-units --all --no-legend --plain 'orc*' | sed 's/^/unit /'
    cut -d' ' -f5 /proc/self/mountinfo | grep -v ^/run/credentials/ | sed 's/^/mount /'
    ip -oneline link | cut -d: -f2 | sed 's/^/interface/'
    ip route show table all | sed 's/^/route /'
    ip rule | sed 's/^/rule /'
    ip -oneline address show dev lo | sed 's/^/address /'
    find /sys/fs/cgroup -type d -name '*orc*' | sed 's/^/cgroup /'
    ! command -v nft >/dev/null || nft list tables | sed 's/^/nftables /'
    ps -e -o args= | grep -e '[o]rc-' -e '/usr/lib/[o]rc' | sed 's/^/process /'
    true`);
  return out.split('\n').filter((line) => line !== '');
}

/** Each test of a file goes on from where the one before left the machines: after a failure the rest would tell nothing. */
export function stepByStep(): void {
  let failed: string | undefined;
  beforeEach(({ skip }) => skip(failed !== undefined, `"${failed}" failed`));
  afterEach(async ({ task }) => {
    if (task.result?.state !== 'fail') return;
    failed = task.name;
    const looks = await onAll((machine) => machine.try(state, 60_000));
    console.error(looks.map(({ out, err }, i) => `--- m${i + 1}\n${out}${err}`).join('\n'));
  });
}

const state = `
  uptime
  systemctl --failed --no-legend
  journalctl -u orc-controller -u orc-agent -u etcd --no-pager -o short-monotonic | cut -c1-300 | tail -n 25`;

/** Ready, and taking pods. */
export const readyNodes = (count: number) => (nodes: readonly V1Node[]) =>
  nodes.filter(
    ({ status, spec }) =>
      status?.conditions?.some((c) => c.type === 'Ready' && c.status === 'True') &&
      !spec?.taints?.length,
  ).length === count;
