import { execFileSync, spawn } from 'node:child_process';
import { readlinkSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type JsonChild, startJsonChild } from './json-child.ts';
import { waitFor } from './wait-for.ts';

/**
 * A network namespace of the tests' own, held by a process that dies with the test's. Nothing here touches the
 * machine's own network, and the test's process stays where it is: what is under test runs in children.
 */
export interface Netns {
  readonly pid: number;
  /** Opens the namespace. */
  readonly path: string;
  /** Runs a program in it and answers what it printed. Throws if it fails. */
  run(command: string, ...args: string[]): string;
  /** Starts a file of test/support in it. */
  start(file: string): JsonChild;
  end(): Promise<void>;
}

export async function makeNetns(): Promise<Netns> {
  const hold = ['--net', 'setpriv', '--pdeathsig', 'SIGKILL', 'sleep', 'infinity'];
  const holder = spawn('unshare', hold, { stdio: 'ignore' });
  const exited = new Promise((resolve) => holder.once('exit', resolve));
  const pid = holder.pid ?? 0;
  await waitFor('a network namespace', () => isElsewhere(pid));
  const path = `/proc/${pid}/ns/net`;
  const run = (command: string, ...args: string[]) =>
    execFileSync('nsenter', [`--net=${path}`, command, ...args], { encoding: 'utf8' });
  run('ip', 'link', 'set', 'lo', 'up');
  return {
    pid,
    path,
    run,
    start: (file) => {
      const script = fileURLToPath(new URL(file, import.meta.url));
      return startJsonChild('nsenter', [`--net=${path}`, process.execPath, script]);
    },
    async end() {
      holder.kill('SIGKILL');
      await exited;
    },
  };
}

/** The holder has its own namespace, and has become `sleep`. */
function isElsewhere(pid: number): boolean {
  const namespace = (of: string) => readlinkSync(`/proc/${of}/ns/net`);
  const program = readlinkSync(`/proc/${pid}/exe`);
  return namespace(`${pid}`) !== namespace('self') && /sleep|coreutils|busybox/.test(program);
}
