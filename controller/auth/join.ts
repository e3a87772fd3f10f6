import type { FastifyInstance } from 'fastify';
import type { ControllerKeys, JoinAnswer, JoinRequest } from '../../api/join.ts';
import { joinPaths } from '../../api/join.ts';
import { checkDnsSubdomain } from '../../api/names.ts';
import type { Log } from '../../base/log.ts';
import { CaError, type CertificateAuthority } from './ca.ts';
import type { JoinTokens, TokenVerdict } from './join-tokens.ts';

export interface JoinDeps {
  readonly ca: CertificateAuthority;
  readonly keys: () => Promise<ControllerKeys>;
  readonly tokens: JoinTokens;
  /** There is a Node of that name. */
  readonly isNode: (name: string) => boolean;
  readonly log: Log;
}

/**
 * GET /join/ca: the authority, which the agent holds against its token before it sends that; POST /join: a token and a
 * key for a certificate; POST /join/controller: a token for the keys of a further controller. None needs a client
 * certificate. Refusals are `{ "message": … }` with 400, 401 or 403.
 */
export const joinRoutes = (deps: JoinDeps) => async (server: FastifyInstance) => {
  server.get(joinPaths.authority, (_request, reply) =>
    reply.type('application/x-pem-file').send(deps.ca.certificate),
  );
  const serve = (path: string, answer: (body: unknown) => Promise<Outcome>) =>
    server.post(path, { bodyLimit: 16_384 }, async (request, reply) => {
      const outcome = await answer(request.body);
      return reply.code(outcome.code).send(outcome.body);
    });
  serve(joinPaths.node, (body) => join(deps, body));
  serve(joinPaths.controller, (body) => joinController(deps, body));
};

type Outcome =
  | { readonly code: 200; readonly body: JoinAnswer | ControllerKeys }
  | { readonly code: 400 | 401 | 403; readonly body: { readonly message: string } };

async function join(deps: JoinDeps, body: unknown): Promise<Outcome> {
  if (!isJoinRequest(body)) return refuse(400, 'token, nodeName and csr are required, as strings');
  const { nodeName, csr } = body;
  const badName = checkDnsSubdomain(nodeName);
  if (badName) return refuse(400, `nodeName ${badName}`);
  const verdict = await deps.tokens.check(body.token, 'node');
  if (verdict !== 'valid') {
    deps.log.warn({ component: 'auth', node: nodeName, reason: verdict }, 'join refused');
    return tokenRefusals[verdict];
  }
  if (deps.isNode(nodeName)) return refuse(403, nameIsTaken(nodeName));
  return sign(deps, nodeName, csr);
}

/** Whoever has a token could otherwise become any node, and read its Secrets. */
const nameIsTaken = (name: string) =>
  `there is a node "${name}" already: give this machine another --node-name; if it has taken that node's place, \`orc delete node ${name}\` first`;

async function joinController({ keys, tokens, log }: JoinDeps, body: unknown): Promise<Outcome> {
  const { token } = (body ?? {}) as { readonly token?: unknown };
  if (typeof token !== 'string') return refuse(400, 'token is required, as a string');
  const verdict = await tokens.check(token, 'controller');
  if (verdict !== 'valid') {
    log.warn({ component: 'auth', reason: verdict }, 'join of a controller refused');
    return tokenRefusals[verdict];
  }
  log.info({ component: 'auth' }, 'a controller joined');
  return { code: 200, body: await keys() };
}

const refuse = (code: 400 | 401 | 403, message: string): Outcome => ({ code, body: { message } });

const tokenRefusals: Readonly<Record<Exclude<TokenVerdict, 'valid'>, Outcome>> = {
  malformed: refuse(400, 'this is not a join token: copy all of what `orc token create` printed'),
  unknown: refuse(401, 'this controller does not know the join token'),
  expired: refuse(403, 'the join token has expired: make a new one with `orc token create`'),
  used: refuse(403, 'the join token has been used: one controller joins with one token'),
  otherUse: refuse(
    403,
    'the join token is for the other role: `orc token create --controller` makes one for a controller',
  ),
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
