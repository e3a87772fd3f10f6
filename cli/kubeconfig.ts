import { access, readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { createSecureContext, type SecureContextOptions } from 'node:tls';
import { parse } from 'yaml';
import { isObject } from '../api/normalize.ts';
import { CliError } from './cli-error.ts';

/** Where the API is, and who asks. */
export interface Connection {
  /** "https://127.0.0.1:6443" */
  readonly server: string;
  /** The context's; "default" when it names none. */
  readonly namespace: string;
  readonly tls: Pick<SecureContextOptions, 'ca' | 'cert' | 'key'> & {
    readonly servername?: string;
    readonly rejectUnauthorized?: boolean;
  };
  readonly token: string | undefined;
}

/** The first of these files that exists. Throws CliError. */
export async function findKubeconfig(
  given: string | undefined,
  usual: readonly string[],
): Promise<string> {
  if (given !== undefined) return given;
  for (const path of usual) if (await exists(path)) return path;
  throw new CliError(
    `no kubeconfig: none of ${usual.join(', ')} is there; start a cluster with \`orc dev\`, or give --kubeconfig`,
  );
}

/** Throws CliError. */
export async function readConnection(path: string, context?: string): Promise<Connection> {
  const config = record(parseFile(path, await readText(path)));
  const contextName = context ?? text(config['current-context']);
  if (contextName === undefined)
    throw new CliError(`${path} has no current-context: give --context`);
  const chosen = entry(path, config, { list: 'contexts', part: 'context', name: contextName });
  const cluster = entry(path, config, {
    ...{ list: 'clusters', part: 'cluster' },
    name: text(chosen.cluster) ?? '',
  });
  const user = chosen.user
    ? entry(path, config, { list: 'users', part: 'user', name: text(chosen.user) ?? '' })
    : {};
  return connection(path, { namespace: text(chosen.namespace) ?? 'default', cluster, user });
}

type Fields = Readonly<Record<string, unknown>>;

async function connection(
  path: string,
  { namespace, cluster, user }: { namespace: string; cluster: Fields; user: Fields },
): Promise<Connection> {
  const server = text(cluster.server);
  if (server === undefined || !URL.canParse(server) || !server.startsWith('https://'))
    throw new CliError(
      `${path}: the cluster's server must be like https://10.0.0.1:6443, not "${server ?? ''}"`,
    );
  const pem = (fields: Fields, name: string) => pemOf(path, fields, name);
  const [ca, cert, key] = await Promise.all([
    pem(cluster, 'certificate-authority'),
    pem(user, 'client-certificate'),
    pem(user, 'client-key'),
  ]);
  try {
    createSecureContext({ ca, cert, key });
  } catch (cause) {
    throw new CliError(`${path}: its certificates and key don't fit`, { cause });
  }
  const servername = text(cluster['tls-server-name']);
  return {
    server: server.replace(/\/+$/, ''),
    namespace,
    token: text(user.token),
    tls: {
      ...(ca === undefined ? {} : { ca }),
      ...(cert === undefined ? {} : { cert }),
      ...(key === undefined ? {} : { key }),
      ...(servername === undefined ? {} : { servername }),
      ...(cluster['insecure-skip-tls-verify'] === true ? { rejectUnauthorized: false } : {}),
    },
  };
}

/** `NAME-data` holds it in base64; `NAME` names a file, relative to the kubeconfig. */
async function pemOf(path: string, fields: Fields, name: string): Promise<string | undefined> {
  const data = text(fields[`${name}-data`]);
  if (data !== undefined) return Buffer.from(data, 'base64').toString();
  const file = text(fields[name]);
  return file === undefined ? undefined : readText(resolve(dirname(path), file));
}

function entry(
  path: string,
  config: Fields,
  { list, part, name }: { list: string; part: string; name: string },
): Fields {
  const entries = config[list];
  const found = Array.isArray(entries)
    ? entries.find((one) => isObject(one) && one.name === name)
    : undefined;
  if (found === undefined) throw new CliError(`${path} has no ${part} "${name}" among its ${list}`);
  return record(record(found)[part]);
}

const record = (value: unknown): Fields => (isObject(value) ? value : {});
const text = (value: unknown): string | undefined =>
  typeof value === 'string' && value !== '' ? value : undefined;

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    throw new CliError(`cannot read ${path}`, { cause });
  }
}

function parseFile(path: string, content: string): unknown {
  try {
    return parse(content);
  } catch (cause) {
    throw new CliError(`${path} is not valid YAML`, { cause });
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw new CliError(`cannot read ${path}`, { cause: error });
  }
}
