/** Which lines of a log are wanted, and how they are to look. */
export interface LogLineOptions {
  /** Each line begins with its RFC 3339 time. */
  readonly timestamps: boolean;
  /** Only what was written since; milliseconds since 1970. */
  readonly sinceMs: number | undefined;
}

/**
 * Turns chunks of a CRI log ("2026-01-02T03:04:05.678901234Z stdout F text\n") into what the container has printed.
 * A piece marked P is continued by the next one of its stream, so no line ends there. Lines of another form are
 * dropped: they are what a crash of the host has left.
 */
export function logLineFormatter(options: LogLineOptions): (chunk: Buffer) => Buffer {
  const since = options.sinceMs === undefined ? '' : new Date(options.sinceMs).toISOString();
  let rest: Buffer = Buffer.alloc(0);
  const continued = new Set<string>();
  const format = (line: Buffer): readonly Buffer[] => {
    const entry = parseEntry(line);
    if (entry === undefined || entry.time.slice(0, MS_DIGITS) < since.slice(0, MS_DIGITS))
      return [];
    const begins = !continued.has(entry.stream);
    if (entry.full) continued.delete(entry.stream);
    else continued.add(entry.stream);
    return [
      ...(options.timestamps && begins ? [Buffer.from(`${entry.time} `)] : []),
      entry.text,
      ...(entry.full ? [newline] : []),
    ];
  };
  return (chunk) => {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    const out: Buffer[] = [];
    let from = 0;
    for (let end = bytes.indexOf(NEWLINE); end >= 0; end = bytes.indexOf(NEWLINE, from)) {
      out.push(...format(bytes.subarray(from, end)));
      from = end + 1;
    }
    rest = bytes.subarray(from, Math.min(bytes.length, from + MAX_ENTRY_BYTES));
    return Buffer.concat(out);
  };
}

const NEWLINE = 10;
const newline = Buffer.from('\n');
/** "2026-01-02T03:04:05.678": what both notations of a time share. */
const MS_DIGITS = 23;
/** Far above what a shim writes as one entry (16 KiB and its head). */
const MAX_ENTRY_BYTES = 131_072;
const MAX_HEAD_BYTES = 64;

type LogEntry = Readonly<{ time: string; stream: string; full: boolean; text: Buffer }>;

function parseEntry(line: Buffer): LogEntry | undefined {
  const head = line.toString('latin1', 0, MAX_HEAD_BYTES);
  const match = /^(\d{4}-\S{15,30}) (stdout|stderr) ([FP]) /.exec(head);
  if (match === null) return undefined;
  const [whole, time = '', stream = '', tag] = match;
  return { time, stream, full: tag === 'F', text: line.subarray(whole.length) };
}
