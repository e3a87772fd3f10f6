import type { ChildProcess } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import type { Server } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Clock } from '../base/clock.ts';
import type { DevConfig } from './config.ts';
import type { VirtualHost } from './virtual-host.ts';

const orc = join(import.meta.dirname, '../orc');

/** The `orc` of this checkout. */
export const orcCommand = (...args: readonly string[]): readonly string[] => [orc, ...args];

/** What everything in a cluster is started with. */
export interface Site extends DevConfig {
  /** State and logs are in a directory and a file below it, named for the host. */
  readonly dataDir: string;
  /** For sockets. */
  readonly runDir: string;
  readonly clock: Clock;
  /** Told of each server: it is closed at the end. */
  readonly opened: (server: Server) => void;
}

/** A program in a host, started again after a pause whenever it ends: as systemd does on a real host. */
export interface RoleRequest {
  readonly host: VirtualHost;
  /** The host's, unless said. */
  readonly name?: string;
  readonly command: readonly string[];
  /** The line of standard output that says it is ready; roles of orc say nothing before that. */
  readonly readyLine?: RegExp;
}

const restartPauseMs = 1000;

/** Resolves when it says on standard output that it is ready; rejects if it ends before. Ends with its host. */
export async function keepRole(role: RoleRequest, site: Pick<Site, 'dataDir' | 'clock'>) {
  const { host, name = host.name } = role;
  const start = () => startRole(role, name, join(site.dataDir, `${name}.log`));
  const again = () => {
    if (!host.isUp()) return;
    console.error(`orc dev: ${name} ended; starting it again`);
    site.clock.after(restartPauseMs, () => {
      start().then((next) => next.once('exit', again), again);
    });
  };
  (await start()).once('exit', again);
}

/** @param logPath its standard error. */
async function startRole(role: RoleRequest, name: string, logPath: string): Promise<ChildProcess> {
  const { host, command, readyLine = /^/ } = role;
  const log = openSync(logPath, 'a', 0o640);
  const child = host.run(command, { stdio: ['ignore', 'pipe', log] });
  closeSync(log);
  await new Promise<void>((resolve, reject) => {
    if (child.stdout)
      createInterface({ input: child.stdout }).on('line', (line) => {
        if (readyLine.test(line)) resolve();
      });
    child.once('error', reject);
    child.once('exit', (code, signal) =>
      reject(new Error(`${name} ended (${signal ?? code}): ${lastLine(logPath)}`)),
    );
  });
  return child;
}

/** A fresh cluster's log goes with it: what it said last is what people need. */
const lastLine = (path: string) =>
  `${readFileSync(path, 'utf8').trimEnd().split('\n').at(-1)} (its log: ${path})`;

/** Of its roles; made if need be. */
export async function stateDirectory(dataDir: string, { name }: VirtualHost): Promise<string> {
  const directory = join(dataDir, name);
  await mkdir(directory, { recursive: true, mode: 0o700 });
  return directory;
}
