import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { messages } from '../../api/generated/protobuf-messages.ts';

/** Values by the names of a message's fields. Maps are objects; other messages are as their definition has them. */
export type Values = Readonly<Record<string, unknown>>;

/** A request's body, as client-go writes it. */
export function protobufBody(
  { apiVersion, kind }: { readonly apiVersion: string; readonly kind: string },
  message: string,
  values: Values | Uint8Array,
): Buffer {
  const raw = values instanceof Uint8Array ? values : encodeMessage(message, values);
  const envelope = new BinaryWriter();
  envelope.tag(1, WireType.LengthDelimited);
  envelope.bytes(encodeMessage('pkg.runtime.TypeMeta', { apiVersion, kind }));
  envelope.tag(2, WireType.LengthDelimited);
  envelope.bytes(raw);
  return Buffer.concat([Buffer.from('k8s\0'), envelope.finish()]);
}

export function encodeMessage(name: string, values: Values): Uint8Array {
  const writer = new BinaryWriter();
  for (const [number, [field, type, form]] of Object.entries(messages[name] ?? {})) {
    const value = form === 'inline' ? values : values[field];
    if (value === undefined) continue;
    const write = (of: string, one: unknown) => writeValue(writer, Number(number), [of, one]);
    if (form === 'list') for (const one of value as unknown[]) write(type, one);
    else if (form !== 'map') write(type, value);
    else
      for (const [key, one] of Object.entries(value as Values)) {
        const entry = new BinaryWriter();
        writeValue(entry, 1, ['string', key]);
        writeValue(entry, 2, [type, one]);
        writer.tag(Number(number), WireType.LengthDelimited).bytes(entry.finish());
      }
  }
  return writer.finish();
}

function writeValue(
  writer: BinaryWriter,
  number: number,
  [type, value]: readonly [type: string, value: unknown],
): void {
  if (type === 'int32') writer.tag(number, WireType.Varint).int32(Number(value));
  else if (type === 'int64') writer.tag(number, WireType.Varint).int64(Number(value));
  else if (type === 'bool') writer.tag(number, WireType.Varint).bool(value === true);
  else if (type === 'double') writer.tag(number, WireType.Bit64).double(Number(value));
  else {
    writer.tag(number, WireType.LengthDelimited);
    if (type === 'string') writer.string(String(value));
    else if (type === 'bytes') writer.bytes(Buffer.from(String(value), 'base64'));
    else writer.bytes(encodeMessage(type, valuesOf(type, value)));
  }
}

/** What is a message here and a word or a number in JSON may be given as that. */
function valuesOf(type: string, value: unknown): Values {
  if (typeof value === 'object') return value as Values;
  const word = value as string | number;
  if (type === 'util.intstr.IntOrString')
    return typeof value === 'number' ? { intVal: value } : { type: 1, strVal: value };
  if (type.endsWith('Time')) return { seconds: Math.trunc(Date.parse(String(word)) / 1000) };
  return { string: value };
}
