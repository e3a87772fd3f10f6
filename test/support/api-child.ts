import { argv, stdout } from 'node:process';
import type { TLSSocket } from 'node:tls';
import { systemClock } from '../../base/clock.ts';
import { systemRng } from '../../base/rng.ts';
import { serveApi } from '../../controller/apiserver/api-server.ts';
import { authenticate } from '../../controller/auth/authenticate.ts';
import { openCa } from '../../controller/auth/ca.ts';
import { openApiWorld } from './api-server.ts';

/** A process that serves the API on the listening socket it was given as descriptor 3. Argument: the CA's directory. */
const ca = await openCa({ dir: argv[2] ?? '', clock: systemClock(), rng: systemRng() });
const pair = await ca.issue({ use: 'server', name: 'child', hosts: ['127.0.0.1'] });
const world = await openApiWorld({
  authenticate: ({ socket }) => authenticate(socket as TLSSocket),
});
const tls = { key: pair.key, cert: pair.certificate, ca: ca.certificate };
await serveApi(world.deps, { tls, listeners: [{ fd: 3 }] });
stdout.write('ready\n');
