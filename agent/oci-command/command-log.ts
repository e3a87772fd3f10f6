import { appendFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Clock } from '../../base/clock.ts';
import type { Front } from '../kernel/front-client.ts';
import { CommandError } from './command-error.ts';

/** Says it to the log, whose last line engines read; and on standard error if there is none, or it is an error. */
export type CommandLog = (level: 'error' | 'warning' | 'debug', message: string) => void;

interface LogOptions {
  readonly log?: string | undefined;
  readonly 'log-format'?: string | undefined;
  readonly debug?: boolean | undefined;
}

/** Throws CommandError for one that can't be written. */
export function openLog(front: Front, options: LogOptions, clock: Clock): CommandLog {
  const { 'log-format': format = 'text', log } = options;
  const file = log && resolve(front.called.directory, log);
  if (!['text', 'json'].includes(format)) throw new CommandError(`unknown log-format "${format}"`);
  try {
    if (file) appendFileSync(file, '');
  } catch (cause) {
    throw new CommandError('--log', { cause });
  }
  return (level, msg) => {
    if (level === 'debug' && !options.debug) return;
    const time = new Date(clock.now()).toISOString();
    const json = JSON.stringify({ level, msg, time });
    const line =
      format === 'json' ? json : `time="${time}" level=${level} msg=${JSON.stringify(msg)}`;
    if (file) appendFileSync(file, `${line}\n`);
    if (!file || level === 'error')
      front.print(
        'stderr',
        level === 'debug' || (!file && format === 'json') ? `${line}\n` : `orc-oci: ${msg}\n`,
      );
  };
}
