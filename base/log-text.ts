/** A record as pino writes it: level, time and msg, and the fields. */
export interface LogRecord {
  readonly level: number;
  readonly time: number;
  readonly msg: string;
  readonly component?: string;
  readonly err?: unknown;
}

/** pino's level → syslog's priority, and its word for people. */
const levels: Readonly<Record<number, { readonly priority: string; readonly word: string }>> = {
  50: { priority: '3', word: 'ERROR' },
  40: { priority: '4', word: 'WARN ' },
  30: { priority: '6', word: 'INFO ' },
  20: { priority: '7', word: 'DEBUG' },
};

/** "session: controller lost address=a:6444: connect ECONNREFUSED": for people. */
export function formatRecord(record: LogRecord): string {
  const { level: _level, time: _time, msg, component, err, ...fields } = record;
  const words = Object.entries(fields).map(([name, value]) => ` ${name}=${quoted(value)}`);
  const from = component === undefined ? '' : `${component}: `;
  const cause = err === undefined ? '' : `: ${errorOf(err).message}`;
  return `${from}${msg}${words.join('')}${cause}`;
}

/** A line for a terminal. */
export const formatLine = (record: LogRecord): string =>
  `${new Date(record.time).toTimeString().slice(0, 8)} ${levels[record.level]?.word} ${formatRecord(record)}\n`;

/** Fields of systemd's journal: `pod` is ORC_POD, `durationMs` ORC_DURATION_MS. */
export function journalFields(record: LogRecord, identifier: string): Record<string, string> {
  const { level, time: _time, msg, err, ...fields } = record;
  const named = Object.entries(fields).map(([name, value]) => [
    `ORC_${name.replace(/[A-Z]/g, '_$&').toUpperCase()}`,
    String(value),
  ]);
  const { message, stack } = errorOf(err);
  return {
    MESSAGE: formatRecord(record),
    PRIORITY: levels[level]?.priority ?? '6',
    SYSLOG_IDENTIFIER: identifier,
    ORC_EVENT: msg,
    ...(err === undefined ? {} : { ORC_ERROR: message, ORC_STACK: stack }),
    ...Object.fromEntries(named),
  };
}

/** As pino serializes it; what was thrown need not be an Error. */
function errorOf(err: unknown): { readonly message: string; readonly stack: string } {
  const { message = JSON.stringify(err), stack = '' } = (err ?? {}) as Partial<Error>;
  return { message, stack };
}

const quoted = (value: unknown): string => {
  const text = String(typeof value === 'number' ? Math.round(value) : value);
  return /^[^\s"=]+$/.test(text) ? text : JSON.stringify(text);
};
