import { execFile, spawn } from 'node:child_process';
import { promisify } from 'node:util';
import { type Clock, sleep } from '../../base/clock.ts';
import { CommandError } from './call.ts';

const HOLD_S = 60;
const PATIENCE_MS = 10_000;
const PAUSE_MS = 10;

/**
 * A group of systemd's making, delegated: what is below its path, from the hierarchies' roots, is ours. Its first process,
 * which kept it until another one was there, goes when it is released. `cgroupsPath` is as engines write it for systemd:
 * "SLICE:PREFIX:NAME". Throws CommandError.
 */
export async function startScope(
  cgroupsPath: string,
  { id, isUser, clock }: { readonly id: string; readonly isUser: boolean; readonly clock: Clock },
) {
  const [slice = '', prefix = 'orc', name = id] = cgroupsPath.split(':');
  const unit = `${prefix && `${prefix}-`}${name}.scope`;
  const manager = isUser ? ['--user'] : [];
  const options = [
    ...manager,
    ...['--scope', '--quiet', '--collect', `--unit=${unit}`, `--description=container ${id}`],
    ...[`--slice=${slice || (isUser ? 'user.slice' : 'system.slice')}`],
    ...['--property=Delegate=yes', '--property=DefaultDependencies=no'],
  ];
  const holder = spawn('systemd-run', [...options, 'sleep', String(HOLD_S)], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  let ended = false;
  holder.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
  holder.on('error', (error) => (said += error.message));
  holder.on('close', () => (ended = true));
  const show = [...manager, 'show', '--property=ControlGroup', '--value', unit];
  for (const end = clock.monotonic() + PATIENCE_MS; clock.monotonic() < end && !ended; ) {
    const { stdout } = await promisify(execFile)('systemctl', show);
    if (stdout.trim() !== '') return { path: stdout.trim(), release: () => void holder.kill() };
    await sleep(clock, PAUSE_MS);
  }
  holder.kill();
  throw new CommandError(`systemd made no scope "${unit}": ${said.trim() || 'it took too long'}`);
}
