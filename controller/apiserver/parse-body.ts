import { isObject } from '../../api/normalize.ts';
import { StatusError } from '../../api/status.ts';
import { readYaml } from '../../base/yaml-text.ts';
import type { Call } from './call.ts';
import { parseProtobuf, protobufType } from './protobuf-body.ts';
import { badRequest } from './request-options.ts';

export type Body = Pick<Call, 'body' | 'contentType' | 'query' | 'warn'>;

/** The body as plain data. JSON when the client doesn't say, as some send a body without a Content-Type. */
export function parseBody(call: Body): unknown {
  const { contentType } = call;
  if (contentType === protobufType) return parseBinary(call);
  const yaml = isYaml(contentType);
  if (yaml || contentType === '' || contentType.endsWith('+json') || contentType === json)
    return parseText(call, textOf(call.body), yaml);
  throw new StatusError(
    'UnsupportedMediaType',
    `the body of the request was in an unsupported media type "${contentType}": send application/json or application/yaml`,
  );
}

export function parseObjectBody(call: Body): Readonly<Record<string, unknown>> {
  const value = parseBody(call);
  if (!isObject(value)) throw badRequest('the body of the request must be an object');
  return value;
}

const json = 'application/json';

const isYaml = (contentType: string) =>
  contentType === 'application/yaml' || contentType.endsWith('+yaml');

function parseBinary(call: Body): unknown {
  const value = parseProtobuf(call.body, (fault) => tell(call, fault));
  // There may be JSON within.
  keysIn(value, maxDepth);
  return value;
}

function textOf(body: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(body);
  } catch (cause) {
    throw new StatusError('BadRequest', 'the body of the request is not UTF-8', { cause });
  }
}

/** kubectl and orc apply send JSON under YAML's name: read as that, in a twentieth of the time. */
function parseText(call: Body, text: string, yaml: boolean): unknown {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    if (yaml) return parseYaml(text);
    throw new StatusError('BadRequest', 'the body of the request is not valid JSON', { cause });
  }
  if (keysIn(value, maxDepth) < keysWritten(text)) tellDoubleKeys(call, text);
  return value;
}

/** Far more than any kind has; what walks over objects may call itself so often. */
const maxDepth = 500;

function keysIn(value: unknown, depth: number): number {
  if (typeof value !== 'object' || value === null) return 0;
  if (depth === 0) throw badRequest(`the body of the request is nested deeper than ${maxDepth}`);
  const own = Array.isArray(value) ? 0 : Object.keys(value).length;
  return Object.values(value).reduce((sum: number, part) => sum + keysIn(part, depth - 1), own);
}

/** Never fewer than there are, but for keys that end with a backslash. */
const keysWritten = (text: string) => text.match(/[^\\]"\s*:/g)?.length ?? 0;

/** JSON.parse takes the last value and says nothing. */
function tellDoubleKeys(call: Body, text: string): void {
  if (call.query.get('fieldValidation') === 'Ignore' || text.length > maxYaml) return;
  const [fault] = readYaml(text).faults;
  if (fault !== undefined) tell(call, fault.message);
}

/** What would be lost: as strictly as the client wants it. */
function tell({ query, warn }: Body, fault: string): void {
  const validation = query.get('fieldValidation');
  if (validation === 'Warn') warn(fault);
  else if (validation !== 'Ignore') throw badRequest(`the body of the request: ${fault}`);
}

/** Reading YAML takes long: hundreds of times as long as JSON. In characters. */
const maxYaml = 262_144;

function parseYaml(text: string): unknown {
  const limit = `a body in YAML may have ${maxYaml} characters: send JSON`;
  if (text.length > maxYaml) throw new StatusError('RequestEntityTooLarge', limit);
  const { documents, faults } = readYaml(text);
  if (faults[0])
    throw badRequest(`the body of the request is not valid YAML: ${faults[0].message}`);
  if (documents.length > 1) throw badRequest('the body of the request is several YAML documents');
  return documents[0]?.value;
}
