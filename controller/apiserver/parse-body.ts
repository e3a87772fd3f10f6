import { parseDocument } from 'yaml';
import { isObject } from '../../api/normalize.ts';
import { StatusError } from '../../api/status.ts';
import { badRequest } from './request-options.ts';

/** The body as plain data. JSON when the client doesn't say, as some send a body without a Content-Type. */
export function parseBody(body: Buffer, contentType: string): unknown {
  if (contentType === 'application/vnd.kubernetes.protobuf') throw protobufRefused();
  if (isYaml(contentType)) return parseYamlOrJson(body.toString());
  if (contentType === '' || contentType === 'application/json' || contentType.endsWith('+json'))
    return parseJson(body.toString());
  throw new StatusError(
    'UnsupportedMediaType',
    `the body of the request was in an unsupported media type "${contentType}": send application/json or application/yaml`,
  );
}

export function parseObjectBody(
  body: Buffer,
  contentType: string,
): Readonly<Record<string, unknown>> {
  const value = parseBody(body, contentType);
  if (!isObject(value)) throw badRequest('the body of the request must be an object');
  return value;
}

const isYaml = (contentType: string) =>
  contentType === 'application/yaml' || contentType.endsWith('+yaml');

const protobufRefused = () =>
  new StatusError(
    'UnsupportedMediaType',
    'this server reads JSON and YAML, not Protobuf: with kubectl 1.32 or newer use `kubectl apply` or `kubectl create -f` instead of `kubectl create KIND`',
  );

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new StatusError('BadRequest', 'the body of the request is not valid JSON', { cause });
  }
}

/** kubectl and orc apply send JSON under YAML's name: read as that, in a twentieth of the time. */
function parseYamlOrJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return parseYaml(text);
  }
}

/** YAML 1.1 with merge keys, as kubectl reads it; JSON is a subset of it. */
function parseYaml(text: string): unknown {
  const document = parseDocument(text, { version: '1.1', merge: true });
  const [error] = document.errors;
  if (error)
    throw new StatusError(
      'BadRequest',
      `the body of the request is not valid YAML: ${error.message}`,
    );
  return document.toJS({ maxAliasCount: 100 });
}
