import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';

const pipes: SpawnOptions['stdio'] = ['pipe', 'ignore', 'pipe'];

/** SIGCHLD ignored and kept so over exec: whoever is orphaned in the host is reaped by the kernel. */
const firstProcess = 'trap \'\' CHLD; hostname "$1"; ip link set lo up; echo ready; exec cat';

/**
 * A "host" on this machine: pid, network, mount, uts and ipc namespaces of its own, held by one small process, its
 * pid 1. That process ends when its standard input does, so whatever ends `orc dev`, even SIGKILL, ends the host, and
 * with its pid 1 the kernel ends every process in it: agents, shims, containers. Nothing of it is pinned to a path.
 *
 * @param address on the virtual switch's network; "": not on it.
 */
export async function startVirtualHost(name: string, address = '') {
  const unshare = spawn(
    'unshare',
    [
      ...['--fork', '--kill-child=KILL', '--pid', '--net', '--mount', '--uts', '--ipc'],
      ...['--propagation', 'slave', '--mount-proc', 'sh', '-c', firstProcess, 'host', name],
    ],
    // A session of its own: a terminal's Ctrl-C is for `orc dev`, which then ends its hosts in order.
    { stdio: ['pipe', 'pipe', 'pipe'], detached: true },
  );
  /** Its pid 1, seen from outside. */
  const pid = await started(name, unshare);
  let stopping = false;
  const hasEnded = () => unshare.exitCode !== null || unshare.signalCode !== null;
  const isUp = () => !stopping && !hasEnded();
  /** Resolves when its first process has ended, by whatever hand. */
  const ended = hasEnded()
    ? Promise.resolve()
    : new Promise<void>((resolve) => unshare.once('exit', () => resolve()));
  const enter = [...['--target', String(pid), '--pid', '--net', '--mount', '--uts', '--ipc'], '--'];
  const running = new Set<ChildProcess>();
  /** Starts a command in all of its namespaces. */
  const run = (command: readonly string[], options: SpawnOptions = {}) => {
    const child = spawn('nsenter', [...enter, ...command], { ...options, detached: true });
    running.add(child);
    child.once('exit', () => running.delete(child));
    return child;
  };
  return {
    ...{ name, address, pid, isUp, ended, run },
    /** Runs a command there to its end; throws with what it said if it fails. */
    exec: (command: readonly string[]) => finished(run(command, { stdio: pipes }), { command }),
    /** The same in its network namespace only, where pids are those of the outside. */
    execInNetwork: (command: readonly string[], input: string) => {
      const args = ['--target', String(pid), '--net', '--', ...command];
      return finished(spawn('nsenter', args, { stdio: pipes }), { command, input });
    },
    /** SIGTERM to what was started here; resolves when that has ended. */
    async terminate() {
      stopping = true;
      const ends = [...running].map((child) => once(child, 'exit'));
      // nsenter hands no signal on.
      for (const inside of [...running].flatMap(childrenOf)) process.kill(inside, 'SIGTERM');
      await Promise.all(ends);
    },
    async stop() {
      stopping = true;
      unshare.stdin.destroy();
      // A stopped one (nsenter stops with its child) would never reap its child, and the host's first process waits
      // for every other to be reaped.
      for (const child of running) child.kill('SIGKILL');
      await ended;
    },
  };
}

export type VirtualHost = Awaited<ReturnType<typeof startVirtualHost>>;

/** The pid of `unshare`'s only child, once that has said it is ready. */
async function started(name: string, unshare: ChildProcess): Promise<number> {
  const words: string[] = [];
  unshare.stderr?.on('data', (chunk: Buffer) => words.push(chunk.toString()));
  await new Promise<void>((resolve, reject) => {
    unshare.stdout?.once('data', () => resolve());
    unshare.once('error', reject);
    unshare.once('exit', () =>
      reject(new Error(`host ${name} did not start: ${words.join('').trim()}`)),
    );
  });
  return childrenOf(unshare)[0] ?? 0;
}

const childrenOf = ({ pid }: ChildProcess): readonly number[] =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').map(Number);

async function finished(
  child: ChildProcess,
  { command, input = '' }: { readonly command: readonly string[]; readonly input?: string },
): Promise<void> {
  const words: string[] = [];
  child.stderr?.on('data', (chunk: Buffer) => words.push(chunk.toString()));
  // A command that ends without reading its input says why by its exit code.
  child.stdin?.on('error', () => undefined).end(input);
  const [code] = await once(child, 'close');
  if (code !== 0)
    throw new Error(`${command.join(' ')}: ${words.join('').trim() || `exit ${code}`}`);
}
