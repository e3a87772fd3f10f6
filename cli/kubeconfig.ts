import { readFile, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { type ConnectionOptions, createSecureContext } from 'node:tls';
import { isObject } from '../api/normalize.ts';
import { readIfPresent } from '../base/durable-file.ts';
import { about } from '../base/error-chain.ts';
import { CliError } from './cli-error.ts';
import { parseOne } from './manifest.ts';

/** Where the API is, and who asks. */
export interface Connection {
  /** "https://127.0.0.1:6443" */
  readonly server: string;
  /** The context's; "default" when it names none. */
  readonly namespace: string;
  readonly tls: ConnectionOptions;
  /** Of every request: who asks, if the certificate doesn't say it. */
  readonly headers: Readonly<Record<string, string | readonly string[]>>;
}

/** The first of these files that exists. Throws CliError. */
export async function findKubeconfig(given: string | undefined, usual: readonly string[]) {
  if (given !== undefined) return given;
  for (const path of usual)
    if (await about(`cannot read ${path}`, readIfPresent(stat(path)))) return path;
  throw new CliError(
    `no kubeconfig: none of ${usual.join(', ')} is there; start a cluster with \`orc dev\`, or give --kubeconfig`,
  );
}

/** Throws what says why not. */
export async function readConnection(path: string, context?: string): Promise<Connection> {
  const content = await readText(path);
  const parsed = Promise.try(parseOne, path, content);
  const config = record(await about(`${path} is not valid YAML`, parsed));
  const entry = (part: 'context' | 'cluster' | 'user', name: string): Fields => {
    const entries = config[`${part}s`];
    const found = Array.isArray(entries) && entries.find((one) => record(one).name === name);
    if (found) return record(record(found)[part]);
    throw new CliError(`${path} has no ${part} "${name}" among its ${part}s`);
  };
  const contextName = context ?? text(config['current-context']);
  if (contextName === undefined)
    throw new CliError(`${path} has no current-context: give --context`);
  const chosen = entry('context', contextName);
  const cluster = entry('cluster', text(chosen.cluster) ?? '');
  const user = chosen.user ? entry('user', text(chosen.user) ?? '') : {};
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
  const identity = { ca, cert, key };
  const isFitting = Promise.try(createSecureContext, identity);
  await about(`${path}: its certificates and key don't fit`, isFitting);
  const isInsecure = cluster['insecure-skip-tls-verify'] === true;
  const token = text(user.token);
  return {
    server: server.replace(/\/+$/, ''),
    namespace,
    headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
    tls: {
      ...{ ...identity, servername: text(cluster['tls-server-name']) },
      ...(isInsecure ? { rejectUnauthorized: false } : {}),
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

const readText = (path: string) => about(`cannot read ${path}`, readFile(path, 'utf8'));
const record = (value: unknown): Fields => (isObject(value) ? value : {});
const text = (value: unknown) => (typeof value === 'string' && value !== '' ? value : undefined);
