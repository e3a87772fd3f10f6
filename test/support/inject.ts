import type { FastifyInstance } from 'fastify';

/** JSON to a server that listens nowhere, and its answer. */
export const injector =
  (app: FastifyInstance) =>
  async (method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE', url: string, body?: object) => {
    const type = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json';
    const response = await app.inject({
      ...{ method, url, headers: { 'content-type': type } },
      ...(body && { payload: JSON.stringify(body) }),
    });
    return { code: response.statusCode, body: response.json() };
  };
