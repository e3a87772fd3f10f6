import { isatty } from 'node:tty';
import { pino } from 'pino';
import { oneOf } from './flags.ts';
import { formatLine, type LogRecord } from './log-text.ts';

const levels = ['error', 'warn', 'info', 'debug'] as const;
export type LogLevel = (typeof levels)[number];

export const logLevelFlag = oneOf('LEVEL', levels, 'info');

/** A closed vocabulary, so that logs can be searched by field. Message constant, facts in fields. */
type LogFields = { readonly err?: unknown } & Readonly<
  Partial<Record<TextField, string> & Record<NumberField, number>>
>;
type TextField =
  | Words<'component key namespace pod uid container node image digest address path'>
  | Words<'reason generation'>;
type NumberField = Words<'revision epoch count bytes pid exitCode durationMs retryInMs'>;
type Words<S extends string> = S extends `${infer First} ${infer Rest}` ? First | Words<Rest> : S;

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
