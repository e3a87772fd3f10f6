import type { ChildProcess } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Clock } from '../base/clock.ts';
import type { VirtualHost } from './virtual-host.ts';

const orc = join(import.meta.dirname, '../orc');

/** The `orc` of this checkout. */
export const orcCommand = (...args: readonly string[]): readonly string[] => [orc, ...args];

/** A program in a host, started again after a pause whenever it ends: as systemd does on a real host. */
export interface RoleRequest {
  readonly host: VirtualHost;
  readonly name: string;
  readonly command: readonly string[];
  /** Its log, standard error. */
  readonly logPath: string;
  /** The line of standard output that says it is ready; roles of orc say nothing before that. */
  readonly readyLine?: RegExp;
}

const restartPauseMs = 1000;

/** Resolves when it says on standard output that it is ready; rejects if it ends before. Ends with its host. */
export async function keepRole(
  role: RoleRequest,
  around: { readonly clock: Clock; readonly log: (line: string) => void },
): Promise<void> {
  const child = await startRole(role);
  const again = () => {
    if (!role.host.isUp()) return;
    around.log(`${role.name} ended; starting it again`);
    around.clock.after(restartPauseMs, () => {
      startRole(role).then((next) => next.once('exit', again), again);
    });
  };
  child.once('exit', again);
}

async function startRole(role: RoleRequest): Promise<ChildProcess> {
  const { host, name, command, logPath, readyLine = /^/ } = role;
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
