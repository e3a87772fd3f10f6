import type { RegistryCredential } from '../ports.ts';
import { ImageError } from './image-error.ts';
import { isObject } from './manifest.ts';
import type { ImageReference } from './reference.ts';
import { type Answer, answerError, readBounded } from './registry-answer.ts';
import {
  type AuthChallenge,
  basicAuthorization,
  credentialsFor,
  parseChallenges,
  tokenUrl,
} from './registry-auth.ts';
import type { Transport } from './registry-transport.ts';

export interface AuthorizerOptions {
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
