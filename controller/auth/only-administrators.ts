import type { TLSSocket } from 'node:tls';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { authenticate } from './authenticate.ts';

const administrators = 'system:masters';

/** A hook for routes; `deed`: what others may not do. Refusals are `{ "message": … }`. */
export const onlyAdministrators =
  (deed: string) =>
  async (request: FastifyRequest, reply: FastifyReply): Promise<unknown> => {
    const user = authenticate(request.raw.socket as TLSSocket);
    if (!user) return reply.code(401).send({ message: 'a client certificate is required' });
    if (user.groups.includes(administrators)) return undefined;
    return reply.code(403).send({ message: `${user.name} may not ${deed}` });
  };
