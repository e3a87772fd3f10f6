import { createHash, X509Certificate } from 'node:crypto';
import { type RequestOptions, request } from 'node:https';
import { text } from 'node:stream/consumers';
import { ReasonError } from './reason-error.ts';

/** Closed table: why a server of which only the authority's hash is known could not be asked. */
export type PinnedHttpsErrorReason = 'Unreachable' | 'WrongAuthority' | 'Refused';

export class PinnedHttpsError extends ReasonError<PinnedHttpsErrorReason> {
  override readonly name = 'PinnedHttpsError';
}

export interface PinnedPost {
  /** "https://host:port" */
  readonly server: string;
  /** Where it gives its authority, PEM; and that one's {@link publicKeyHash}. */
  readonly authorityPath: string;
  readonly authorityHash: string;
  readonly path: string;
  readonly body: unknown;
}

/**
 * Posts JSON, and gives the JSON of the answer. The authority is fetched first and held against the hash; the body is sent
 * only over TLS that this authority vouches for. A refusal is `{ "message": … }`. Throws PinnedHttpsError.
 */
export async function postPinned(post: PinnedPost): Promise<unknown> {
  const { server, authorityPath, authorityHash, path, body } = post;
  // Unverified on purpose: what comes back is believed only if its hash is right.
  const found = await send(new URL(authorityPath, server), { rejectUnauthorized: false });
  if (found.code !== 200)
    throw new PinnedHttpsError('Refused', `${server} answers ${found.code}: is it the right one?`);
  if (hashIfCertificate(found.body) !== authorityHash)
    throw new PinnedHttpsError('WrongAuthority', `${server} is not the cluster of this token`);
  const answer = await send(
    new URL(path, server),
    { method: 'POST', headers: { 'content-type': 'application/json' }, ca: found.body },
    JSON.stringify(body),
  );
  const parsed = JSON.parse(answer.body) as { readonly message?: string };
  if (answer.code === 200) return parsed;
  throw new PinnedHttpsError('Refused', parsed.message ?? `${server} answers ${answer.code}`);
}

/** SHA-256 of the certificate's public key (SPKI, DER), in hex: what join tokens pin. */
export function publicKeyHash(certificatePem: string): string {
  const { publicKey } = new X509Certificate(certificatePem);
  return createHash('sha256')
    .update(publicKey.export({ type: 'spki', format: 'der' }))
    .digest('hex');
}

function hashIfCertificate(pem: string): string | undefined {
  try {
    return publicKeyHash(pem);
  } catch {
    return undefined;
  }
}

const silenceMs = 10_000;

async function send(url: URL, options: RequestOptions, body?: string) {
  try {
    return await new Promise<{ code: number; body: string }>((resolve, reject) => {
      const sent = request(url, { ...options, agent: false, timeout: silenceMs }, (response) => {
        const { statusCode: code = 0 } = response;
        text(response).then((answer) => resolve({ code, body: answer }), reject);
      });
      sent.on('error', reject);
      sent.on('timeout', () => sent.destroy(new Error('silence')));
      sent.end(body);
    });
  } catch (cause) {
    throw new PinnedHttpsError('Unreachable', `no answer from ${url.host}`, { cause });
  }
}
