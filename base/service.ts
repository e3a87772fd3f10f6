import { fstatSync } from 'node:fs';
import { type Clock, repeat } from './clock.ts';
import type { LogSink } from './log.ts';
import { journalFields } from './log-text.ts';

/** What systemd wants to hear from this process: man systemd.exec, sd_notify. */
export interface ServiceConfig {
  readonly notify: boolean;
  /** Time without a sign of life after which it is killed. */
  readonly watchdogMs: number | undefined;
  /** Whether standard error is the journal's. */
  readonly journal: boolean;
}

/** undefined: systemd expects nothing. */
export function readServiceConfig(env: NodeJS.ProcessEnv): ServiceConfig | undefined {
  const { NOTIFY_SOCKET, JOURNAL_STREAM, WATCHDOG_USEC, WATCHDOG_PID = process.pid } = env;
  const watches = WATCHDOG_USEC !== undefined && Number(WATCHDOG_PID) === process.pid;
  const { dev, ino } = fstatSync(2);
  const journal = JOURNAL_STREAM === `${dev}:${ino}`;
  if (NOTIFY_SOCKET === undefined && !journal) return undefined;
  const watchdogMs = watches ? Number(WATCHDOG_USEC) / 1000 : undefined;
  return { notify: NOTIFY_SOCKET !== undefined, watchdogMs, journal };
}

/** native/systemd.ts */
export interface ServiceManager {
  notify(state: string): void;
  journal(fields: Readonly<Record<string, string>>): void;
}

/** The process as a service of systemd's; without systemd none of it does anything. */
export interface Service {
  /** Where the log goes; undefined: where it goes without systemd. */
  readonly logSink: LogSink | undefined;
  /** It does its work. From now on it gives signs of life while `isAlive` resolves. Returns how to say that it stops. */
  ready(work: ServiceWork): () => void;
}

interface ServiceWork {
  /** One line for `systemctl status`. */
  readonly status: () => string;
  /** Rejects, or stays silent, when work no longer moves on. */
  readonly isAlive: () => Promise<unknown>;
}

/** `load`: native/systemd.ts, only where systemd expects something. */
export async function openService(
  name: string,
  config: ServiceConfig | undefined,
  { clock, load }: { readonly clock: Clock; readonly load: () => Promise<ServiceManager> },
): Promise<Service> {
  if (!config) return { logSink: undefined, ready: () => () => {} };
  const manager = await load();
  return {
    logSink: config.journal ? (record) => manager.journal(journalFields(record, name)) : undefined,
    ready(work) {
      if (!config.notify) return () => {};
      const stop = giveSigns({ ...work, ...config, manager, clock });
      return () => {
        void stop();
        manager.notify('STOPPING=1');
      };
    },
  };
}

const lookEveryMs = 1000;

/** A task that hangs is not repeated: silence, then, is what systemd hears. */
function giveSigns(
  options: ServiceWork & ServiceConfig & { readonly manager: ServiceManager; clock: Clock },
): () => Promise<void> {
  const { manager, watchdogMs = Number.POSITIVE_INFINITY, clock } = options;
  let status = options.status();
  let signAt = clock.monotonic();
  manager.notify(`READY=1\nSTATUS=${status}`);
  return repeat(clock, lookEveryMs, async () => {
    const lines = [];
    if (status !== (status = options.status())) lines.push(`STATUS=${status}`);
    const now = clock.monotonic();
    if (now - signAt >= watchdogMs / 2 - lookEveryMs && (await succeeds(options.isAlive()))) {
      signAt = now;
      lines.push('WATCHDOG=1');
    }
    if (lines.length > 0) manager.notify(lines.join('\n'));
  });
}

const succeeds = (work: Promise<unknown>) =>
  work.then(
    () => true,
    () => false,
  );
