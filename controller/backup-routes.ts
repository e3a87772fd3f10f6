import { Readable } from 'node:stream';
import type { FastifyPluginCallback } from 'fastify';
import type { ControllerKeys } from '../api/join.ts';
import { onlyAdministrators } from './auth/only-administrators.ts';
import { formatBackup } from './backup.ts';
import type { Store } from './store/store.ts';

/** GET /orc/v1/backup: all that was acknowledged when it was asked for. A connection that breaks ends it midway. */
export function backupRoutes(
  store: Store,
  readKeys: () => Promise<ControllerKeys>,
): FastifyPluginCallback {
  return (server, _options, done) => {
    const options = { onRequest: onlyAdministrators('make backups') };
    server.get('/orc/v1/backup', options, async (_request, reply) => {
      const { entries, revision } = await store.list('/');
      const lines = formatBackup({ entries, revision, keys: await readKeys() });
      return reply.type('application/x-ndjson').send(Readable.from(lines));
    });
    done();
  };
}
