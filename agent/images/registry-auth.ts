import { identityUser, parseObject } from '../../api/docker-config.ts';
import type { Clock } from '../../base/clock.ts';
import type { RegistryCredential } from '../ports.ts';
import { ImageError } from './image-error.ts';
import type { ImageReference } from './reference.ts';
import { type Answer, answerError, readBounded } from './registry-answer.ts';
import { type CredentialSources, credentialsFor } from './registry-credentials.ts';

export interface AuthorizerOptions extends CredentialSources {
  readonly reference: ImageReference;
  /** A secret never goes out unencrypted, unless the registry's own name says so. */
  readonly isSecure: boolean;
  readonly clock: Clock;
  /** A credential was accepted: not everybody may have what comes. */
  readonly onLogin: () => void;
}

interface Authorization {
  readonly isLogin: boolean;
  readonly headers: { readonly authorization?: string };
  /** By the clock's monotonic(). */
  readonly untilMs: number;
}

type Request = (headers: Authorization['headers']) => Promise<Answer>;

const forEver = { untilMs: Number.POSITIVE_INFINITY };
const nobody: Authorization = { headers: {}, isLogin: false, ...forEver };
const maxTokenBytes = 256 * 1024;

/**
 * Sends a request with what the registry last accepted, while that is valid; at a 401 answers its challenge and sends again,
 * with each matching credential in turn, or as nobody if there is none. Returns the last answer: 401 or 403 if all were
 * refused.
 */
export function authorizer(options: AuthorizerOptions) {
  let accepted = nobody;
  let turn: Promise<unknown> = Promise.resolve();
  return async (signal: AbortSignal, request: Request): Promise<Answer> => {
    if (options.clock.monotonic() > accepted.untilMs) accepted = nobody;
    const sent = accepted;
    const first = await request(sent.headers);
    if (!isRefused(first)) return first;
    const negotiation = turn.then(async () => {
      let answer = first;
      // Those that are refused together need one new token, not one each.
      const known = accepted === sent ? [] : [accepted];
      for await (const offer of offers(first, { ...options, signal, known })) {
        await answer.body.dump();
        answer = await request(offer.headers);
        if (isRefused(answer)) continue;
        accepted = offer;
        if (offer.isLogin) options.onLogin();
        break;
      }
      return answer;
    });
    turn = negotiation.catch(() => undefined);
    return negotiation;
  };
}

const isRefused = ({ statusCode }: Answer) => statusCode === 401 || statusCode === 403;

type Negotiation = AuthorizerOptions &
  Readonly<{ signal: AbortSignal; known: readonly Authorization[] }>;

/** What may satisfy a registry that answered so. Throws the last "no" of the place that it sends its clients to. */
async function* offers(answer: Answer, options: Negotiation): AsyncGenerator<Authorization> {
  yield* options.known;
  const header = [answer.headers['www-authenticate'] ?? ''].flat().join(', ');
  const challenges = parseChallenges(header);
  let refusal: ImageError | undefined;
  for await (const credential of credentialsFor(options.reference, options)) {
    refusal = undefined;
    const offer = await answerTo(challenges, { ...options, credential }).catch((error: unknown) => {
      if (!(error instanceof ImageError) || error.reason !== 'Unauthorized') throw error;
      refusal = error;
    });
    if (offer !== undefined) yield offer;
  }
  if (refusal !== undefined) throw refusal;
}

type Attempt = Negotiation & Readonly<{ credential: RegistryCredential | undefined }>;

async function answerTo(challenges: readonly AuthChallenge[], attempt: Attempt) {
  const bearer = challenges.find((challenge) => challenge.scheme === 'bearer');
  if (bearer !== undefined) return bearerToken(bearer, attempt);
  if (attempt.credential === undefined) return undefined;
  const basic = challenges.some((challenge) => challenge.scheme === 'basic');
  const headers = basicHeaders(attempt.credential);
  return basic ? { headers, isLogin: true, ...forEver } : undefined;
}

/** Asks the realm that the registry named (distribution's docs, spec/auth/token.md and oauth.md). */
async function bearerToken(challenge: AuthChallenge, attempt: Attempt): Promise<Authorization> {
  const { reference, credential, transport, clock, signal } = attempt;
  const url = tokenUrl(challenge, reference.repository);
  if (url === undefined) throw refused(reference, 'named no place to ask for a token');
  if (url.protocol !== 'https:' && attempt.isSecure)
    throw refused(reference, `wants credentials sent without TLS, to ${url.origin}`);
  const { to, ...request } = tokenRequest(url, credential);
  const askedAtMs = clock.monotonic();
  const answer = await transport.request(to, { ...request, signal });
  if (answer.statusCode !== 200) throw await answerError(answer, reference);
  const body = (await readBounded(answer, maxTokenBytes)).toString('utf8');
  const { token, access_token, expires_in } = parseObject(body) ?? {};
  const text = token ?? access_token;
  if (typeof text !== 'string') throw refused(reference, 'gave no token');
  const validMs = typeof expires_in === 'number' ? expires_in * 1000 : Number.POSITIVE_INFINITY;
  const headers = { authorization: `Bearer ${text}` };
  return { headers, isLogin: credential !== undefined, untilMs: askedAtMs + validMs };
}

function tokenRequest({ href, origin, pathname, search }: URL, credential: Attempt['credential']) {
  if (credential === undefined) return { to: href, headers: {} };
  if (credential.username !== identityUser) return { to: href, headers: basicHeaders(credential) };
  const identity = { grant_type: 'refresh_token', refresh_token: credential.password };
  const form = new URLSearchParams({ ...identity, client_id: 'orc' });
  for (const [name, value] of new URLSearchParams(search)) form.append(name, value);
  const headers = { 'content-type': 'application/x-www-form-urlencoded' };
  return { to: origin + pathname, headers, body: form.toString() };
}

const refused = (reference: ImageReference, why: string): ImageError =>
  new ImageError('Unauthorized', `registry ${reference.registry} ${why}`);

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

function basicHeaders({ username, password }: RegistryCredential) {
  return { authorization: `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}` };
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
