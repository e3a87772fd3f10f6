import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';
import { type MessageField, messages } from '../../api/generated/protobuf-messages.ts';
import { own } from '../../api/normalize.ts';
import { StatusError } from '../../api/status.ts';
import { formatTime } from '../../base/clock.ts';
import { asText } from './request-options.ts';

export const protobufType = 'application/vnd.kubernetes.protobuf';

type Message = Readonly<Record<string, unknown>>;

/** What is told of a field that isn't in the table: what it holds would be lost. */
type TellUnknown = (what: string) => void;

/**
 * The body as the plain data that Go's JSON of the same object would be, so that nothing behind knows the difference. Four
 * bytes of magic, then a runtime.Unknown, which names the kind and carries the object. Throws BadRequest, and
 * UnsupportedMediaType for a kind that can't be sent so.
 */
export function parseProtobuf(body: Buffer, tellUnknown: TellUnknown): Message {
  const read = (name: string, bytes: Uint8Array) =>
    readMessage(name, bytes, { name, depth: 0, tellUnknown }) as Message;
  try {
    if (!body.subarray(0, magic.length).equals(magic)) throw new Error('the first bytes are wrong');
    const envelope: Envelope = read('pkg.runtime.Unknown', body.subarray(magic.length));
    const { apiVersion = '', kind = '', raw = '', contentEncoding = '' } = envelope;
    if (contentEncoding !== '') throw new Error(`its encoding is unknown: "${contentEncoding}"`);
    const name = messageName(apiVersion, kind);
    if (own(messages, name) === undefined) throw unknownKind(apiVersion, kind);
    return { apiVersion, kind, ...read(name, Buffer.from(raw, 'base64')) };
  } catch (cause) {
    if (cause instanceof StatusError) throw cause;
    const message = `the body of the request is not valid Protobuf: ${(cause as Error).message}`;
    throw new StatusError('BadRequest', message, { cause });
  }
}

const magic = Buffer.from('k8s\0');

type Envelope = Partial<Record<'apiVersion' | 'kind' | 'raw' | 'contentEncoding', string>>;

/** Every group has the first two, the table has them once. */
function messageName(apiVersion: string, kind: string): string {
  if (kind === 'DeleteOptions' || kind === 'Status') return `meta.v1.${kind}`;
  const [version, group = 'core'] = apiVersion.split('/').reverse();
  return `${group.split('.')[0]}.${version}.${kind}`;
}

const unknownKind = (apiVersion: string, kind: string) =>
  new StatusError(
    'UnsupportedMediaType',
    `this server reads no "${kind}" of "${apiVersion}" in Protobuf: send application/json or application/yaml`,
  );

interface Reading {
  /** Of the message, for what is told of it. */
  readonly name: string;
  readonly depth: number;
  readonly tellUnknown: TellUnknown;
}

/** More than any object has that isn't made up. */
const maxDepth = 100;

/** A message as its JSON, which is not always an object. */
function readMessage(name: string, bytes: Uint8Array, { depth, tellUnknown }: Reading): unknown {
  if (depth === maxDepth) throw new Error(`it is nested deeper than ${maxDepth}`);
  const reading = { name, depth: depth + 1, tellUnknown };
  const message = readFields(messages[name] ?? {}, bytes, reading);
  const asJson = own(otherJson, name);
  return asJson ? asJson(message) : message;
}

type Fields = Readonly<Record<number, MessageField>>;

function readFields(fields: Fields, bytes: Uint8Array, reading: Reading): Message {
  const reader = new BinaryReader(bytes, decodeUtf8);
  const given = new Map<MessageField, unknown[]>();
  while (reader.pos < reader.len) {
    const [number, wireType] = reader.tag();
    const field = fields[number];
    if (field === undefined) {
      reading.tellUnknown(`unknown field ${number} of ${reading.name} in the Protobuf body`);
      reader.skip(wireType, number);
    } else {
      const values = given.getOrInsertComputed(field, () => []);
      for (const value of readField(field, { reader, wireType, reading })) values.push(value);
    }
  }
  return Object.fromEntries([...given].flatMap(([field, values]) => jsonFields(field, values)));
}

type Place = Readonly<{ reader: BinaryReader; wireType: WireType; reading: Reading }>;

/** One value, but for packed lists. */
function readField([name, type, form]: MessageField, { reader, wireType, reading }: Place) {
  const scalar = form === 'map' ? undefined : own(scalars, type);
  const read = () => {
    if (scalar) return scalar.read(reader);
    return (form === 'map' ? readEntry : readMessage)(type, reader.bytes(), reading);
  };
  if (wireType === (scalar?.wireType ?? lengthDelimited)) return [read()];
  if (form !== 'list' || wireType !== lengthDelimited)
    throw new Error(`${name} has the wrong type`);
  const packed = [];
  const end = reader.uint32() + reader.pos;
  while (reader.pos < end) packed.push(read());
  return packed;
}

/** Keys are strings in all of Kubernetes. */
function readEntry(type: string, bytes: Uint8Array, reading: Reading) {
  const fields: Fields = { 1: ['key', 'string'], 2: ['value', type] };
  const { key = '', value = '' } = readFields(fields, bytes, reading);
  return [key, value] as const;
}

/** A field's place in the JSON of its message. */
function jsonFields([name, , form]: MessageField, values: readonly unknown[]) {
  if (form === 'list') return [[name, values]] as const;
  if (form === 'map') return [[name, Object.fromEntries(values as [string, unknown][])]] as const;
  const [value] = values;
  if (values.length > 1) throw new Error(`${name} is given twice`);
  if (form === 'inline') return Object.entries(value as Message);
  return form === 'omitempty' && !value ? [] : ([[name, value]] as const);
}

interface Scalar {
  readonly wireType: WireType;
  read(reader: BinaryReader): string | number | boolean;
}

const varint = WireType.Varint;
const lengthDelimited = WireType.LengthDelimited;
const scalars: Readonly<Record<string, Scalar>> = {
  string: { wireType: lengthDelimited, read: (reader) => reader.string() },
  bytes: { wireType: lengthDelimited, read: (reader) => base64(reader.bytes()) },
  bool: { wireType: varint, read: (reader) => reader.bool() },
  int32: { wireType: varint, read: (reader) => reader.int32() },
  int64: { wireType: varint, read: (reader) => Number(reader.int64()) },
  double: { wireType: WireType.Bit64, read: (reader) => reader.double() },
};

const base64 = ({ buffer, byteOffset, byteLength }: Uint8Array) =>
  Buffer.from(buffer, byteOffset, byteLength).toString('base64');

const utf8 = new TextDecoder('utf-8', { fatal: true });
const decodeUtf8 = (bytes: Uint8Array) => utf8.decode(bytes);

/** The messages whose JSON isn't an object of their fields. */
const otherJson: Readonly<Record<string, (message: Message) => unknown>> = {
  'api.resource.Quantity': ({ string = '0' }) => string,
  'util.intstr.IntOrString': ({ type, intVal = 0, strVal = '' }) => (type === 1 ? strVal : intVal),
  'meta.v1.Time': (time) => formatSeconds(time),
  'meta.v1.MicroTime': (time) => formatSeconds(time)?.replace('Z', `.${micros(time)}Z`) ?? null,
  'meta.v1.FieldsV1': ({ Raw }) => jsonIn(Raw),
  'pkg.runtime.RawExtension': ({ raw }) => jsonIn(raw),
  'authentication.v1.AttestationValue': ({ items = [] }) => items,
  'authentication.v1.ExtraValue': ({ items = [] }) => items,
  'authorization.v1.ExtraValue': ({ items = [] }) => items,
  'apiextensions.v1.JSON': ({ raw }) => jsonIn(raw),
  'apiextensions.v1.JSONSchemaPropsOrArray': ({ schema, jSONSchemas }) => jSONSchemas ?? schema,
  'apiextensions.v1.JSONSchemaPropsOrBool': ({ schema, allows }) => schema ?? allows,
  'apiextensions.v1.JSONSchemaPropsOrStringArray': ({ schema, property }) => property ?? schema,
};

/** No field at all is Go's zero time. */
const formatSeconds = (time: Message): string | null =>
  Object.keys(time).length === 0 ? null : formatTime(Number(time.seconds ?? 0) * 1000);

const micros = ({ nanos }: Message) =>
  String(Math.trunc(Number(nanos ?? 0) / 1000)).padStart(6, '0');

const jsonIn = (bytes: unknown): unknown =>
  bytes === undefined ? null : JSON.parse(utf8.decode(Buffer.from(asText(bytes), 'base64')));
