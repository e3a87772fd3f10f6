import { createHash, X509Certificate } from 'node:crypto';
import { type RequestOptions, request } from 'node:https';
import { text } from 'node:stream/consumers';
import { type JoinAnswer, type JoinRequest, parseJoinToken } from '../../api/join.ts';
import { newCertificateRequest } from './certificate-request.ts';
import { type NodeIdentity, saveIdentity } from './node-identity.ts';

export interface JoinOptions {
  /** "https://host:6443" */
  readonly server: string;
  readonly token: string;
  readonly nodeName: string;
  /** Where the identity is kept. */
  readonly dir: string;
}

/** Closed table: why a machine could not join. */
export type JoinErrorReason = 'MalformedToken' | 'Unreachable' | 'WrongAuthority' | 'Refused';

export class JoinError extends Error {
  override readonly name = 'JoinError';
  readonly reason: JoinErrorReason;
  constructor(reason: JoinErrorReason, message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}

/**
 * Turns a join token into this node's identity. The authority is fetched first and held against the hash in the token;
 * the token itself is sent only over TLS that this authority vouches for.
 */
export async function joinCluster(options: JoinOptions): Promise<NodeIdentity> {
  const token = parseJoinToken(options.token);
  if (!token) throw new JoinError('MalformedToken', 'this is not a join token');
  const ca = await fetchAuthority(options);
  if (publicKeyHash(ca) !== token.caHash)
    throw new JoinError('WrongAuthority', `${options.server} is not the cluster of this token`);
  const { key, csr } = await newCertificateRequest(options.nodeName);
  const answer = await sendRequest(options, ca, csr);
  const identity = { key, certificate: answer.certificate, ca: answer.ca };
  await saveIdentity(options.dir, identity);
  return identity;
}

/** Unverified on purpose: what comes back is believed only if its hash is right. */
async function fetchAuthority({ server }: JoinOptions): Promise<string> {
  const answer = await send(new URL('/join/ca', server), { rejectUnauthorized: false });
  if (answer.code === 200) return answer.body;
  throw new JoinError('Refused', `${server} answers ${answer.code}: is this an orc controller?`);
}

async function sendRequest(options: JoinOptions, ca: string, csr: string): Promise<JoinAnswer> {
  const body: JoinRequest = { token: options.token.trim(), nodeName: options.nodeName, csr };
  const answer = await send(
    new URL('/join', options.server),
    { method: 'POST', headers: { 'content-type': 'application/json' }, ca },
    JSON.stringify(body),
  );
  const parsed = JSON.parse(answer.body) as Partial<JoinAnswer> & { readonly message?: string };
  if (answer.code !== 200 || !parsed.certificate || !parsed.ca)
    throw new JoinError('Refused', parsed.message ?? `the controller answers ${answer.code}`);
  return { certificate: parsed.certificate, ca: parsed.ca };
}

const publicKeyHash = (pem: string): string => {
  const key = certificateOf(pem)?.publicKey.export({ type: 'spki', format: 'der' });
  return createHash('sha256')
    .update(key ?? '')
    .digest('hex');
};

function certificateOf(pem: string): X509Certificate | undefined {
  try {
    return new X509Certificate(pem);
  } catch {
    return undefined;
  }
}

const silenceMs = 10_000;

interface Answer {
  readonly code: number;
  readonly body: string;
}

async function send(url: URL, options: RequestOptions, body?: string): Promise<Answer> {
  try {
    return await new Promise<Answer>((resolve, reject) => {
      const sent = request(url, { ...options, agent: false, timeout: silenceMs }, (response) => {
        text(response).then(
          (answer) => resolve({ code: response.statusCode ?? 0, body: answer }),
          reject,
        );
      });
      sent.on('error', reject);
      sent.on('timeout', () => sent.destroy(new Error('silence')));
      sent.end(body);
    });
  } catch (cause) {
    throw new JoinError('Unreachable', `no answer from ${url.host}`, { cause });
  }
}
