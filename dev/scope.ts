import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { type DevConfig, scopedEnvironment } from './config.ts';
import { orcCommand } from './roles.ts';

/**
 * Under systemd a cgroup belongs to whoever it was delegated to, so `orc dev` runs itself again in a scope of its own
 * with Delegate=yes (systemd.resource-control(5)). Gives that one's exit code; undefined: no need, go on here.
 */
export async function runInScope(argv: readonly string[], { scoped, readyFd }: DevConfig) {
  if (scoped || !existsSync('/run/systemd/system')) return undefined;
  const inherited =
    readyFd === undefined ? [] : Array.from({ length: readyFd - 2 }, (_, i) => i + 3);
  const scope = ['--scope', '--quiet', '--collect', '--property=Delegate=yes', '--'];
  const child = spawn('systemd-run', [...scope, ...orcCommand('dev', ...argv)], {
    stdio: ['inherit', 'inherit', 'inherit', ...inherited],
    env: scopedEnvironment(),
  });
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(name, () => child.kill(name));
  const [code] = await once(child, 'exit');
  return code ?? 1;
}
