import { isatty } from 'node:tty';
import { pino } from 'pino';
import { oneOf } from './flags.ts';
import { formatLine, type LogRecord } from './log-text.ts';

const levels = ['error', 'warn', 'info', 'debug'] as const;
export type LogLevel = (typeof levels)[number];

export const logLevelFlag = oneOf('LEVEL', levels, 'info');

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
export interface Log extends Record<LogLevel, (fields: LogFields, message: string) => void> {
  child(fields: LogFields): Log;
}

export type LogSink = (record: LogRecord) => void;

/** On standard error: readable lines on a terminal, else JSON lines. */
export function openLog(level: LogLevel, sink: LogSink | undefined = terminalSink()): Log {
  const lines = pino.destination({ fd: 2, sync: true });
  const write = (line: string) => sink?.(JSON.parse(line) as LogRecord);
  return pino({ level, base: null }, sink ? { write } : lines);
}

const terminalSink = (): LogSink | undefined =>
  isatty(2) ? (record) => void process.stderr.write(formatLine(record)) : undefined;

export const silentLog: Log = {
  error() {},
  warn() {},
  info() {},
  debug() {},
  child: () => silentLog,
};
