import { pino } from 'pino';

export const logLevels = ['error', 'warn', 'info', 'debug'] as const;
export type LogLevel = (typeof logLevels)[number];

/** A closed vocabulary, so that logs can be searched by field. Message constant, facts in fields. */
interface LogFields {
  readonly err?: unknown;
  readonly component?: string;
  readonly key?: string;
  readonly namespace?: string;
  readonly pod?: string;
  readonly uid?: string;
  readonly container?: string;
  readonly node?: string;
  readonly image?: string;
  readonly digest?: string;
  readonly address?: string;
  readonly path?: string;
  readonly reason?: string;
  readonly revision?: number;
  readonly generation?: string;
  readonly epoch?: number;
  readonly count?: number;
  readonly bytes?: number;
  readonly pid?: number;
  readonly exitCode?: number;
  readonly durationMs?: number;
  readonly retryInMs?: number;
}

/** error: someone must act · warn: will heal · info: a state changed · debug: a step. */
export interface Log {
  error(fields: LogFields, message: string): void;
  warn(fields: LogFields, message: string): void;
  info(fields: LogFields, message: string): void;
  debug(fields: LogFields, message: string): void;
  child(fields: LogFields): Log;
}

/** JSON lines on standard error. */
export function openLog(level: LogLevel): Log {
  return pino({ level, base: null }, pino.destination({ fd: 2, sync: true }));
}

export const silentLog: Log = {
  error() {},
  warn() {},
  info() {},
  debug() {},
  child: () => silentLog,
};
