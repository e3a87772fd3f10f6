/** One entry of a tar that may be as wrong as a test wants: nothing is checked or completed. Text is latin1. */
export interface RawTarEntry {
  readonly path: string;
  /** "0" file, "1" hard link, "2" symbolic link, "3" char, "4" block, "5" directory, "6" fifo … */
  readonly flag?: string;
  readonly link?: string;
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly mtime?: number;
  readonly major?: number;
  readonly minor?: number;
  readonly content?: string | Buffer;
  /** What the header claims; content's length otherwise. */
  readonly size?: number;
  readonly pax?: Readonly<Record<string, string | Buffer>>;
}

/** The archive, with the two blocks of zeros at its end. */
export function tarArchive(entries: readonly RawTarEntry[]): Buffer {
  return Buffer.concat([...entries.map(tarEntry), Buffer.alloc(1024)]);
}

export function tarEntry(entry: RawTarEntry): Buffer {
  const content = Buffer.from((entry.content as string) ?? '');
  const head = header({ size: content.length, ...entry });
  const before = entry.pax === undefined ? [] : [paxEntry(entry.pax)];
  return Buffer.concat([...before, head, padded(content)]);
}

function paxEntry(pax: Readonly<Record<string, string | Buffer>>): Buffer {
  const content = Buffer.concat(Object.entries(pax).map(([key, value]) => paxRecord(key, value)));
  return Buffer.concat([header({ path: 'pax', flag: 'x', size: content.length }), padded(content)]);
}

export function paxRecord(key: string, value: string | Buffer): Buffer {
  const rest = Buffer.concat([
    Buffer.from(` ${key}=`),
    Buffer.from(value as string),
    Buffer.from('\n'),
  ]);
  const digits = (bytes: number) => String(rest.length + bytes).length;
  const length = rest.length + digits(digits(3));
  return Buffer.concat([Buffer.from(String(length)), rest]);
}

function header(entry: RawTarEntry): Buffer {
  const block = Buffer.alloc(512);
  const octal = (value: number, at: number, width: number) =>
    block.write(value.toString(8).padStart(width - 1, '0'), at, 'latin1');
  block.write(entry.path, 0, 100, 'latin1');
  octal(entry.mode ?? 0o644, 100, 8);
  octal(entry.uid ?? 0, 108, 8);
  octal(entry.gid ?? 0, 116, 8);
  octal(entry.size ?? 0, 124, 12);
  octal(entry.mtime ?? 0, 136, 12);
  block.write(entry.flag ?? '0', 156, 'latin1');
  block.write(entry.link ?? '', 157, 100, 'latin1');
  block.write('ustar\x0000', 257, 'latin1');
  octal(entry.major ?? 0, 329, 8);
  octal(entry.minor ?? 0, 337, 8);
  block.fill(' ', 148, 156);
  octal(
    block.reduce((sum, byte) => sum + byte, 0),
    148,
    7,
  );
  return block;
}

function padded(content: Buffer): Buffer {
  return Buffer.concat([content, Buffer.alloc((512 - (content.length % 512)) % 512)]);
}
