import type { RegistryCredential } from '../ports.ts';
import { ImageError } from './image-error.ts';
import { isObject } from './manifest.ts';
import type { ImageReference } from './reference.ts';
import { type Answer, answerError, readBounded } from './registry-answer.ts';
import type { Transport } from './registry-transport.ts';

interface AuthorizerOptions {
  readonly reference: ImageReference;
  readonly credentials: readonly RegistryCredential[];
  /** The registry's own, for the rule that a secret never goes out unencrypted unless the registry is that by name. */
  readonly origin: string;
  readonly transport: Transport;
}

type Authorization = { readonly authorization?: string };

const maxTokenBytes = 256 * 1024;

/**
 * Sends a request with what the registry last accepted; at a 401 answers its challenge and sends again, with each matching
 * credential in turn, or as nobody if there is none. Returns the last answer: 401 or 403 if all were refused.
 */
export function authorizer(options: AuthorizerOptions) {
  const { reference, credentials } = options;
  const matching = credentialsFor(reference.registry, credentials);
  const candidates = matching.length > 0 ? matching : [undefined];
  let accepted: Authorization = {};
  return async (
    signal: AbortSignal,
    request: (authorization: Authorization) => Promise<Answer>,
  ): Promise<Answer> => {
    let answer = await request(accepted);
    for (const credential of candidates) {
      if (answer.statusCode !== 401 && answer.statusCode !== 403) return answer;
      const header = [answer.headers['www-authenticate'] ?? ''].flat().join(', ');
      const isLast = credential === candidates.at(-1);
      const attempt = { ...options, credential, signal };
      const authorization = await answerTo(parseChallenges(header), attempt).catch((error) => {
        if (isLast || !isRefusal(error)) throw error;
        return undefined;
      });
      if (authorization === undefined) continue;
      await answer.body.dump();
      answer = await request(authorization);
      if (answer.statusCode !== 401 && answer.statusCode !== 403) accepted = authorization;
    }
    return answer;
  };
}

interface Attempt extends AuthorizerOptions {
  readonly credential: RegistryCredential | undefined;
  readonly signal: AbortSignal;
}

async function answerTo(
  challenges: readonly AuthChallenge[],
  attempt: Attempt,
): Promise<Authorization | undefined> {
  const bearer = challenges.find((challenge) => challenge.scheme === 'bearer');
  if (bearer !== undefined) return bearerToken(bearer, attempt);
  if (attempt.credential === undefined) return undefined;
  const basic = challenges.some((challenge) => challenge.scheme === 'basic');
  return basic ? { authorization: basicAuthorization(attempt.credential) } : undefined;
}

/** Asks the realm that the registry named (distribution-spec, token authentication). */
async function bearerToken(challenge: AuthChallenge, attempt: Attempt): Promise<Authorization> {
  const { reference, credential, transport, signal } = attempt;
  const url = tokenUrl(challenge, reference.repository);
  if (url === undefined) throw refused(reference, 'named no place to ask for a token');
  if (url.protocol !== 'https:' && attempt.origin.startsWith('https:'))
    throw refused(reference, `wants credentials sent without TLS, to ${url.origin}`);
  const headers = credential === undefined ? {} : { authorization: basicAuthorization(credential) };
  const answer = await transport.request(url.href, { headers, signal });
  if (answer.statusCode !== 200) throw await answerError(answer, reference);
  const body: unknown = JSON.parse((await readBounded(answer, maxTokenBytes)).toString('utf8'));
  const token = isObject(body) ? (body.token ?? body.access_token) : undefined;
  if (typeof token !== 'string') throw refused(reference, 'gave no token');
  return { authorization: `Bearer ${token}` };
}

function isRefusal(error: unknown): boolean {
  return error instanceof ImageError && error.reason === 'Unauthorized';
}

function refused(reference: ImageReference, why: string): ImageError {
  return new ImageError('Unauthorized', `registry ${reference.registry} ${why}`);
}

/** One challenge of a WWW-Authenticate header (RFC 9110 §11.6.1); scheme and parameter names in lower case. */
export interface AuthChallenge {
  readonly scheme: string;
  readonly parameters: Readonly<Record<string, string>>;
}

const token = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
const parameter = new RegExp(`^\\s*(${token})\\s*=\\s*(?:"((?:[^"\\\\]|\\\\.)*)"|(${token}))\\s*`);
const scheme = new RegExp(`^[\\s,]*(${token})(?=\\s|,|$)(?!\\s*=)`);
const maxHeaderBytes = 8192;

/** Every challenge in the header, in order. What can't be parsed ends the list. */
export function parseChallenges(header: string): readonly AuthChallenge[] {
  const challenges: AuthChallenge[] = [];
  let rest = header.slice(0, maxHeaderBytes);
  for (let match = scheme.exec(rest); match !== null; match = scheme.exec(rest)) {
    rest = rest.slice(match[0].length);
    const parameters: Record<string, string> = Object.create(null);
    for (let p = parameter.exec(rest); p !== null; p = parameter.exec(rest)) {
      parameters[String(p[1]).toLowerCase()] = p[2]?.replace(/\\(.)/g, '$1') ?? p[3] ?? '';
      rest = rest.slice(p[0].length);
      if (!rest.startsWith(',')) break;
      rest = rest.slice(1);
    }
    challenges.push({ scheme: String(match[1]).toLowerCase(), parameters });
  }
  return challenges;
}

function basicAuthorization(credential: RegistryCredential): string {
  const pair = Buffer.from(`${credential.username}:${credential.password}`);
  return `Basic ${pair.toString('base64')}`;
}

/** Where to ask for a bearer token, or undefined if the challenge doesn't say. */
export function tokenUrl(challenge: AuthChallenge, repository: string): URL | undefined {
  const { realm, service, scope } = challenge.parameters;
  if (realm === undefined || !URL.canParse(realm)) return undefined;
  const url = new URL(realm);
  if (service !== undefined) url.searchParams.set('service', service);
  url.searchParams.set('scope', scope ?? `repository:${repository}:pull`);
  return url;
}

/** The credentials for a registry, in the order in which they are to be tried; docker's old names included. */
export function credentialsFor(
  registry: string,
  credentials: readonly RegistryCredential[],
): readonly RegistryCredential[] {
  return credentials.filter((credential) => credentialHost(credential.registry) === registry);
}

function credentialHost(name: string): string {
  const host = name
    .replace(/^https?:\/\//, '')
    .replace(/\/.*$/, '')
    .toLowerCase();
  const isDocker = host === 'index.docker.io' || host === 'registry-1.docker.io';
  return isDocker ? 'docker.io' : host;
}
