import type { FastifyPluginCallback } from 'fastify';
import type { JoinAnswer, JoinRequest } from '../../api/join.ts';
import { checkDnsSubdomain } from '../../api/names.ts';
import type { Log } from '../../base/log.ts';
import { CaError, type CertificateAuthority } from './ca.ts';
import type { JoinTokens, TokenVerdict } from './join-tokens.ts';

export interface JoinDeps {
  readonly ca: CertificateAuthority;
  readonly tokens: JoinTokens;
  readonly log: Log;
}

/**
 * GET /join/ca: the authority, which the agent holds against its token before it sends that; POST /join: a token and a
 * key for a certificate. Neither needs a client certificate. Refusals are `{ "message": … }` with 400, 401 or 403.
 */
export function joinRoutes(deps: JoinDeps): FastifyPluginCallback {
  return (server, _options, done) => {
    server.get('/join/ca', (_request, reply) =>
      reply.type('application/x-pem-file').send(deps.ca.certificate),
    );
    server.post('/join', { bodyLimit: 16_384 }, async (request, reply) => {
      const outcome = await join(deps, request.body);
      return reply.code(outcome.code).send(outcome.body);
    });
    done();
  };
}

type Outcome =
  | { readonly code: 200; readonly body: JoinAnswer }
  | { readonly code: 400 | 401 | 403; readonly body: { readonly message: string } };

async function join(deps: JoinDeps, body: unknown): Promise<Outcome> {
  if (!isJoinRequest(body)) return refuse(400, 'token, nodeName and csr are required, as strings');
  const { nodeName, csr } = body;
  const badName = checkDnsSubdomain(nodeName);
  if (badName) return refuse(400, `nodeName ${badName}`);
  const verdict = await deps.tokens.check(body.token);
  if (verdict !== 'valid') {
    deps.log.warn({ component: 'auth', node: nodeName, reason: verdict }, 'join refused');
    return tokenRefusals[verdict];
  }
  return sign(deps, nodeName, csr);
}

const refuse = (code: 400 | 401 | 403, message: string): Outcome => ({ code, body: { message } });

const tokenRefusals: Readonly<Record<Exclude<TokenVerdict, 'valid'>, Outcome>> = {
  malformed: refuse(400, 'this is not a join token: copy all of what `orc token create` printed'),
  unknown: refuse(401, 'this controller does not know the join token'),
  expired: refuse(403, 'the join token has expired: make a new one with `orc token create`'),
};

async function sign({ ca, log }: JoinDeps, nodeName: string, csr: string): Promise<Outcome> {
  try {
    const certificate = await ca.signNode(csr, nodeName);
    log.info({ component: 'auth', node: nodeName }, 'node joined');
    return { code: 200, body: { certificate, ca: ca.certificate } };
  } catch (error) {
    if (error instanceof CaError) return refuse(400, `csr: ${error.message}`);
    throw error;
  }
}

function isJoinRequest(body: unknown): body is JoinRequest {
  const { token, nodeName, csr } = (body ?? {}) as Partial<Record<keyof JoinRequest, unknown>>;
  return typeof token === 'string' && typeof nodeName === 'string' && typeof csr === 'string';
}
