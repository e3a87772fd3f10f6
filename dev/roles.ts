import type { ChildProcess } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { VirtualHost } from './virtual-host.ts';

/** The `orc` of this checkout, run by the Node that runs this. */
const orc = [
  process.execPath,
  '--disable-warning=ExperimentalWarning',
  join(import.meta.dirname, '../orc.ts'),
];

export const orcCommand = (...args: readonly string[]): readonly string[] => [...orc, ...args];

/** A role of orc running in a host; its log goes to a file. */
export interface RunningRole {
  readonly name: string;
  readonly process: ChildProcess;
  readonly logPath: string;
}

/** Starts a role and resolves when it says on standard output that it is ready; rejects if it ends before. */
export async function startRole(
  host: VirtualHost,
  role: { readonly name: string; readonly args: readonly string[]; readonly logPath: string },
): Promise<RunningRole> {
  const log = openSync(role.logPath, 'a', 0o640);
  const child = host.run(orcCommand(...role.args), { stdio: ['ignore', 'pipe', log] });
  closeSync(log);
  const ready = new Promise<void>((resolve, reject) => {
    if (child.stdout) createInterface({ input: child.stdout }).once('line', () => resolve());
    child.once('error', reject);
    child.once('exit', (code, signal) =>
      reject(new Error(`${role.name} ended (${signal ?? code}); its log: ${role.logPath}`)),
    );
  });
  await ready;
  return { name: role.name, process: child, logPath: role.logPath };
}
