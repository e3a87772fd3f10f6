import { readdir, readFile, readlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runProgram } from './run-program.ts';

/** What orc could leave on a machine, each thing described by a line that stays the same as long as it is there. */
export type MachineState = Readonly<Record<string, ReadonlySet<string>>>;

export async function observeMachine(): Promise<MachineState> {
  const entries = Object.entries(observers).map(
    async ([what, observe]) => [what, new Set(await observe())] as const,
  );
  return Object.fromEntries(await Promise.all(entries));
}

/** What is there now and was not before: "process 812 orc-shim …", "mount …". */
export function leaksBetween(before: MachineState, now: MachineState): readonly string[] {
  return Object.entries(now).flatMap(([what, things]) =>
    [...things].filter((thing) => !before[what]?.has(thing)).map((thing) => `${what} ${thing}`),
  );
}

const settleMs = 5_000;
const pauseMs = 100;

/** The leaks that stay: the kernel takes a moment to end namespaces, and what was in them. */
export async function lastingLeaks(before: MachineState): Promise<readonly string[]> {
  const until = performance.now() + settleMs;
  for (;;) {
    const leaks = leaksBetween(before, await observeMachine());
    if (leaks.length === 0 || performance.now() > until) return leaks;
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
}

const observers: Readonly<Record<string, () => Promise<readonly string[]>>> = {
  process: orcProcesses,
  namespace: namespaces,
  mount: mounts,
  interface: () => readdir('/sys/class/net'),
  'named netns': () => entriesOf('/run/netns'),
  'nftables table': nftTables,
  cgroup: () => directoriesNamed('/sys/fs/cgroup', /orc/),
  'loop device': loopDevices,
  'run-time file': async () => (await entriesOf('/run')).filter((name) => name.startsWith('orc')),
  'temporary file': async () =>
    (await entriesOf(tmpdir())).filter((name) => name.startsWith('orc-')),
};

/** Orc's own by name, whatever namespace they are in. Zombies have no command line, and end with their parents. */
async function orcProcesses(): Promise<readonly string[]> {
  const found = await eachProcess(async (pid) => {
    const command = (await readFile(`/proc/${pid}/cmdline`, 'utf8')).replaceAll('\0', ' ').trim();
    return /(^|\/)orc-|\/orc\.[jt]s\b/.test(command)
      ? `${pid} ${command.slice(0, 120)}`
      : undefined;
  });
  return found.filter((line) => line !== undefined);
}

/** Network, pid and user namespaces that a process is in. Mount namespaces are left out: systemd makes them for its services. */
async function namespaces(): Promise<readonly string[]> {
  const found = await eachProcess((pid) =>
    Promise.all(['net', 'pid', 'user'].map((kind) => readlink(`/proc/${pid}/ns/${kind}`))),
  );
  return [...new Set(found.flat())];
}

/** A process that ends while it is looked at is left out. */
async function eachProcess<T>(look: (pid: string) => Promise<T>): Promise<readonly T[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const looks = await Promise.allSettled(pids.map(look));
  return looks.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
}

/** Without their numbers, which are given anew. */
async function mounts(): Promise<readonly string[]> {
  const lines = (await readFile('/proc/self/mountinfo', 'utf8')).trimEnd().split('\n');
  return lines.map((line) => {
    const fields = line.split(' ');
    const [type, source] = fields.slice(fields.indexOf('-') + 1);
    return `${fields[4]} (${type} ${source})`;
  });
}

async function nftTables(): Promise<readonly string[]> {
  const { code, out, err } = await runProgram('nft', ['list', 'tables']);
  if (code !== 0) throw new Error(`nft list tables: ${err}`);
  return out.split('\n').filter((line) => line !== '');
}

async function loopDevices(): Promise<readonly string[]> {
  const devices = (await readdir('/sys/block')).filter((name) => name.startsWith('loop'));
  const files = devices.map(async (name) => {
    const [file] = await linesOf(join('/sys/block', name, 'loop/backing_file'));
    return file === undefined ? [] : [`${name} ${file}`];
  });
  return (await Promise.all(files)).flat();
}

/** Directories below `top` whose names match; not those below one that does. */
async function directoriesNamed(top: string, pattern: RegExp): Promise<readonly string[]> {
  const found: string[] = [];
  for (const entry of await directoriesIn(top)) {
    const path = join(top, entry);
    if (pattern.test(entry)) found.push(path);
    else found.push(...(await directoriesNamed(path, pattern)));
  }
  return found;
}

async function directoriesIn(path: string): Promise<readonly string[]> {
  const entries = await readdir(path, { withFileTypes: true }).catch(absent);
  return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
}

const entriesOf = (path: string): Promise<readonly string[]> => readdir(path).catch(absent);

const linesOf = async (path: string): Promise<readonly string[]> =>
  readFile(path, 'utf8').then((text) => text.trimEnd().split('\n'), absent);

function absent(error: NodeJS.ErrnoException): never[] {
  if (error.code === 'ENOENT') return [];
  throw error;
}
