import type { FastifyInstance } from 'fastify';
import { formatTime } from '../../base/clock.ts';
import { onlyAdministrators } from './authenticate.ts';
import type { JoinTokens } from './join-tokens.ts';

const longestTtlSeconds = 7 * 24 * 60 * 60;

/** POST /orc/v1/tokens {ttlSeconds?, use?} → {token, expiresAt}: administrators only. Refusals are `{ "message": … }`. */
export const tokenRoutes = (tokens: JoinTokens) => async (server: FastifyInstance) => {
  const options = { bodyLimit: 1024, onRequest: onlyAdministrators('make join tokens') };
  server.post('/orc/v1/tokens', options, async (request, reply) => {
    const { ttlSeconds, use = 'node' } = (request.body ?? {}) as Readonly<Record<string, unknown>>;
    if (ttlSeconds !== undefined && !isTtl(ttlSeconds)) {
      const message = `ttlSeconds must be a whole number from 1 to ${longestTtlSeconds}`;
      return reply.code(400).send({ message });
    }
    if (use !== 'node' && use !== 'controller')
      return reply.code(400).send({ message: 'use must be node or controller' });
    const ttlMs = ttlSeconds === undefined ? undefined : ttlSeconds * 1000;
    const made = await tokens.create(use, ttlMs);
    return reply.code(201).send({ token: made.token, expiresAt: formatTime(made.expiresAtMs) });
  });
};

const isTtl = (given: unknown): given is number =>
  typeof given === 'number' && Number.isInteger(given) && given >= 1 && given <= longestTtlSeconds;
