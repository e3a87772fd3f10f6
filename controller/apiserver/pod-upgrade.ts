import { type IncomingMessage, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import type { ExecStream } from '../../api/exec-stream.ts';
import type { StatusError } from '../../api/status.ts';
import { authorize } from './authorize.ts';
import type { ApiServer } from './call.ts';
import { commandIn, serveExec, type Upgrade, wantedStreams } from './exec-session.ts';
import { openExecSpdy } from './exec-spdy.ts';
import { openExecWebSocket } from './exec-websocket.ts';
import { identify } from './identify.ts';
import { containerTarget, livePodTarget } from './pod-target.ts';
import type { OpenPort } from './port-forward.ts';
import { servePortsOverSpdy, spdyForwardProtocol } from './port-forward-spdy.ts';
import { servePortsOverWebSocket } from './port-forward-websocket.ts';
import { proxyRoute, relayUpgrade } from './proxy.ts';
import { parseProxyAddress } from './proxy-target.ts';
import { badRequest } from './request-options.ts';
import { partsOf } from './resource-path.ts';
import { routeOf } from './resource-routes.ts';
import { acceptSpdy } from './spdy/connection.ts';
import { noSuchPath, statusOf, toStatusError } from './status-reply.ts';
import { channelProtocols, forwardProtocols, offersOneOf } from './web-socket.ts';

/**
 * pods/exec, pods/attach, pods/portforward: a connection that becomes a WebSocket or SPDY; what is behind a proxy: whatever
 * it becomes. What is wrong with the request is an ordinary answer; what fails later is said over the upgraded connection.
 */
export async function serveUpgrade(server: ApiServer, upgrade: Upgrade): Promise<void> {
  const { request, socket } = upgrade;
  socket.on('error', () => socket.destroy());
  try {
    await serve(server, upgrade);
  } catch (error) {
    const status = toStatusError(error);
    if (status.reason === 'InternalError')
      server.log.error({ err: error, path: request.url ?? '' }, 'an upgrade failed');
    refuse(socket, status);
  }
}

async function serve(server: ApiServer, upgrade: Upgrade): Promise<void> {
  const { request, socket } = upgrade;
  const { podAccess, cache, clock, closing } = server;
  const user = identify(server, request);
  const proxied = parseProxyAddress(request.url ?? '');
  if (proxied) {
    authorize(user, proxyRoute({ raw: request }), cache);
    return relayUpgrade(proxied, server, upgrade);
  }
  const { query } = partsOf(request);
  const route = routeOf(cache.kinds, request);
  const { subresource } = route;
  if (!upgraded.includes(subresource)) throw noSuchPath();
  authorize(user, route, cache);
  const hungUp = new AbortController();
  socket.once('close', () => hungUp.abort());
  const signal = AbortSignal.any([hungUp.signal, closing]);
  const pod = livePodTarget(cache, route);
  if (subresource === 'portforward')
    return servePorts(upgrade, query, (port, ended) =>
      podAccess.portForward(pod, port, AbortSignal.any([signal, ended])),
    );
  const { container } = containerTarget(cache, route, query.get('container') ?? '');
  const wanted = wantedStreams(query, container);
  const command = subresource === 'exec' ? commandIn(query) : undefined;
  const transport = isWebSocket(request, channelProtocols)
    ? await openExecWebSocket(upgrade)
    : await openExecSpdy(upgrade, wanted);
  await serveExec(transport, {
    ...{ tty: wanted.tty, clock, signal },
    open: (size) =>
      command === undefined
        ? withoutExitCode(podAccess.attach(pod, wanted, signal))
        : podAccess.exec(pod, { ...wanted, command, size }, signal),
  });
}

const upgraded: readonly string[] = ['exec', 'attach', 'portforward'];

/** As a kubelet's: clients would take the process' exit code for an attach that failed. The pod's status has it. */
async function withoutExitCode(opening: Promise<ExecStream>): Promise<ExecStream> {
  const stream = await opening;
  return { ...stream, exited: stream.exited.then(() => ({ exitCode: 0 })) };
}

async function servePorts(upgrade: Upgrade, query: URLSearchParams, open: OpenPort): Promise<void> {
  if (isWebSocket(upgrade.request, forwardProtocols))
    return servePortsOverWebSocket(upgrade, query, open);
  acceptSpdy(upgrade, spdyForwardProtocol);
  servePortsOverSpdy(upgrade.socket, open);
}

/** False: it is SPDY. Throws for what is neither. */
function isWebSocket({ headers }: IncomingMessage, protocols: readonly string[]): boolean {
  const upgrade = headers.upgrade?.toLowerCase();
  if (upgrade === 'spdy/3.1') return false;
  if (upgrade !== 'websocket') throw badRequest('Upgrade request required: WebSocket or SPDY/3.1');
  if (!offersOneOf(headers['sec-websocket-protocol'], protocols))
    throw badRequest(`the subprotocol must be one of ${protocols.join(', ')}`);
  return true;
}

function refuse(socket: Duplex, status: StatusError): void {
  if (!socket.writable) return;
  const body = JSON.stringify(statusOf(status));
  const head = [
    `HTTP/1.1 ${status.code} ${STATUS_CODES[status.code] ?? ''}`,
    'Connection: close',
    'Content-Type: application/json',
    `Content-Length: ${Buffer.byteLength(body)}`,
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`);
}
