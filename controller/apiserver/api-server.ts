import { once, setMaxListeners } from 'node:events';
import { createServer, type Server, type ServerOptions } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import type { ApiServer, ApiServerDeps } from './call.ts';
import { openChangeFeed } from './change-feed.ts';
import { fastifyApp } from './fastify-app.ts';
import { serveUpgrade } from './pod-upgrade.ts';
import { openLimits, requestTimeoutMs } from './request-limits.ts';
import { sharedEncoder } from './watch-events.ts';

/** The HTTPS API. Nothing listens yet; `inject` works at once. */
export function buildApiServer(deps: ApiServerDeps) {
  const closing = new AbortController();
  const changes = openChangeFeed(deps.cache);
  deps.metrics.gauge('apiserver_longrunning_requests', 'Watches that go on.', {
    labels: { verb: 'watch' },
    read: changes.size,
  });
  // Every watch and every exec listens for it.
  setMaxListeners(0, closing.signal);
  const encodeShared = sharedEncoder();
  const letIn = openLimits(deps);
  const server: ApiServer = { ...deps, changes, encodeShared, letIn, closing: closing.signal };
  const app = fastifyApp(server);
  app.addHook('preClose', async () => {
    closing.abort();
    changes.close();
  });
  return { app, server };
}

/** PEM. `ca` is what client certificates are checked against. */
export type TlsFiles = Readonly<{ key: string; cert: string; ca: string }>;

export type Listener =
  | { readonly host: string; readonly port: number }
  /** A unix socket, with TLS as everywhere. */
  | { readonly path: string }
  /** A listening socket that was inherited. */
  | { readonly fd: number };

export type RunningApiServer = Awaited<ReturnType<typeof serveApi>>;

export async function serveApi(
  deps: ApiServerDeps,
  { tls, listeners }: { readonly tls: TlsFiles; readonly listeners: readonly Listener[] },
) {
  const { app, server: api } = buildApiServer(deps);
  await app.ready();
  const upgraded = new Set<Duplex>();
  const servers = listeners.map(() =>
    createServer(tlsOptions(tls))
      .on('request', (request, response) => app.routing(request, response))
      .on('upgrade', (request, socket, head) => {
        upgraded.add(socket.once('close', () => upgraded.delete(socket)));
        void serveUpgrade(api, { request, socket, head });
      }),
  );
  await Promise.all(servers.map((server, at) => listen(server, listeners[at])));
  return {
    /** In the order of the listeners; undefined for those without a TCP port. */
    ports: servers.map(portOf),
    /** New certificates, for connections from now on. */
    setTls: (next: TlsFiles) => {
      for (const server of servers) server.setSecureContext(next);
    },
    /** Ends watches and logs, lets short requests finish, closes. */
    close: async () => {
      await app.close();
      const cut = deps.clock.after(closeGraceMs, () => cutOff(servers, upgraded));
      await Promise.all(servers.map(closeServer));
      cut();
    },
  };
}

/** Who has no certificate, or a bad one, is told so by a Status (401) and not by a broken handshake. */
const tlsOptions = (tls: TlsFiles): ServerOptions => ({
  ...tls,
  requestCert: true,
  rejectUnauthorized: false,
  minVersion: 'TLSv1.2',
  // Longer than clients keep idle connections, so that it is they who close them.
  keepAliveTimeout: 120_000,
  // Finds clients that are gone without a word.
  keepAlive: true,
  keepAliveInitialDelay: 30_000,
  // A request must be there whole by then.
  requestTimeout: requestTimeoutMs,
  ALPNProtocols: ['http/1.1'],
});

/** Clients that haven't taken the end of their streams by then are cut off. */
const closeGraceMs = 2_000;

function cutOff(servers: readonly Server[], upgraded: ReadonlySet<Duplex>): void {
  for (const server of servers) server.closeAllConnections();
  for (const socket of upgraded) socket.destroy();
}

async function listen(server: Server, listener: Listener | undefined): Promise<void> {
  server.listen(listener);
  await once(server, 'listening');
}

function portOf(server: Server): number | undefined {
  const address = server.address() as AddressInfo | string | null;
  return typeof address === 'object' ? address?.port : undefined;
}

async function closeServer(server: Server): Promise<void> {
  const closed = once(server.close(), 'close');
  server.closeIdleConnections();
  await closed;
}
