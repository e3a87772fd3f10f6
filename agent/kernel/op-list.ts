import { opKind, setting, sizeOf } from '../../native/generated/binding.ts';
import { type Op, operations } from './op.ts';
import { encodeFields, mountFlag, shareFlag, type WireRecord, type WireText } from './op-fields.ts';

/** A request's payload: its arguments, then the operations, in the layout of `struct orc_list`. Throws RangeError. */
export function encodeList(args: WireRecord, ops: readonly Op[]): Buffer {
  const records = [{ ...args, kind: opKind.ARGUMENTS }, ...ops.map(toRecord)];
  const texts = records.map((record) => (record.text ?? []).map(textBytes));
  const blobSize = texts.flat().reduce((sum, text) => sum + text.length + 1, 0);
  const blobAt = sizeOf.list + records.length * sizeOf.record;
  const bytes = Buffer.alloc(blobAt + blobSize);
  bytes.writeUInt32LE(records.length, 0);
  bytes.writeUInt32LE(blobSize, 4);
  let textAt = 0;
  for (const [i, record] of records.entries()) {
    const at = sizeOf.list + i * sizeOf.record;
    writeNumbers(bytes, at, record);
    for (const [t, text] of texts[i]!.entries()) {
      bytes.writeUInt32LE(textAt, at + 56 + 8 * t);
      bytes.writeUInt32LE(text.length, at + 60 + 8 * t);
      bytes.set(text, blobAt + textAt);
      textAt += text.length + 1;
    }
  }
  return bytes;
}

function writeNumbers(bytes: Buffer, at: number, record: WireRecord): void {
  bytes.writeUInt16LE(record.kind ?? 0, at);
  bytes.writeUInt16LE(record.flags ?? 0, at + 2);
  for (const [n, value] of (record.num ?? []).entries()) bytes.writeUInt32LE(value, at + 4 + 4 * n);
  for (const [n, value] of (record.wide ?? []).entries())
    bytes.writeBigUInt64LE(value, at + 24 + 8 * n);
}

function textBytes(text: WireText): Uint8Array {
  if (text instanceof Uint8Array) return text;
  const strings = typeof text === 'string' ? [text] : text;
  if (strings.some((s) => s.includes('\0'))) throw new RangeError('a string holds a NUL character');
  return Buffer.from(strings.join('\0'));
}

function toRecord(word: Op): WireRecord {
  const op = spelledOut(word);
  const { kind, first, fields } = shapes[op.op]!;
  const record = encodeFields(fields, op, first);
  const isProgram = op.op === 'exec' || op.op === 'find';
  return { ...(isProgram ? withPaths(op, record) : record), kind };
}

/** Of each operation. A name of `enum orc_op`, or of `enum orc_setting`, whose number then comes first. */
const shapes = Object.fromEntries(
  Object.entries(operations).map(([op, declared]) => {
    const name = op.toUpperCase().replaceAll('-', '_');
    const fields = Object.entries(declared);
    return isSetting(name)
      ? [op, { kind: opKind.SETTING, first: [setting[name]], fields }]
      : [op, { kind: opKind[name as keyof typeof opKind], first: [], fields }];
  }),
);

/** The words for what other operations do, too. */
function spelledOut(op: Op): Op {
  if (op.op === 'make-private')
    return { op: 'set-mount', path: '/', recursivePropagation: shareFlag.private };
  if (op.op === 'read-only-root')
    return { op: 'set-mount', path: '.', inRoot: true, set: mountFlag.ro };
  if (op.op !== 'read-only') return op;
  const itself = { source: '', target: op.path, inRoot: true, optional: true } as const;
  return { op: 'bind', ...itself, recursive: true, flags: 0, recursiveSet: mountFlag.ro };
}

/** As execvp(3) looks for a program, but an empty entry of PATH is left out. */
function withPaths(op: Extract<Op, { op: 'exec' | 'find' }>, record: WireRecord): WireRecord {
  const { file, argv, env } = op;
  const program = file ?? argv[0] ?? '';
  const dirs =
    env
      .find((entry) => entry.startsWith('PATH='))
      ?.slice(5)
      .split(':') ?? [];
  const found = dirs.filter((dir) => dir !== '').map((dir) => `${dir}/${program}`);
  const paths = program.includes('/') ? [program] : program === '' ? [] : found;
  return {
    num: [...(record.num ?? []), paths.length],
    text: [...(record.text ?? []), paths],
  };
}

function isSetting(name: string): name is keyof typeof setting {
  return name in setting;
}
