import { type IncomingMessage, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { Pod } from '../../api/pod.ts';
import { StatusError } from '../../api/status.ts';
import { authorize, unauthorized } from './authorize.ts';
import type { ApiServer } from './call.ts';
import { connectExec, type ExecTransport, execRequest, type Upgrade } from './exec-session.ts';
import { openExecSpdy } from './exec-spdy.ts';
import { openExecWebSocket, webSocketProtocolOf } from './exec-websocket.ts';
import { containerTarget } from './pod-target.ts';
import { badRequest } from './request-options.ts';
import { statusOf, toStatusError } from './status-reply.ts';

/** pods/exec: a connection that becomes a WebSocket or SPDY. What fails before that is an ordinary answer. */
export async function serveUpgrade(server: ApiServer, upgrade: Upgrade): Promise<void> {
  const { request, socket } = upgrade;
  socket.on('error', () => socket.destroy());
  try {
    await serveExec(server, upgrade);
  } catch (error) {
    const status = toStatusError(error);
    if (status.reason === 'InternalError')
      server.deps.log.error({ err: error, path: request.url ?? '' }, 'an exec failed');
    refuse(socket, status);
  }
}

async function serveExec({ deps, closing }: ApiServer, upgrade: Upgrade): Promise<void> {
  const { request, socket } = upgrade;
  const user = deps.authenticate(request);
  if (!user) throw unauthorized();
  const { namespace, name, query } = addressOf(request);
  const verb = request.method === 'POST' ? 'create' : 'get';
  authorize(user, { verb, kind: Pod, subresource: 'exec', namespace, name });
  const open = protocolOf(request);
  const { pod, container } = containerTarget(
    deps.cache,
    { namespace, name },
    query.get('container') ?? '',
  );
  const wanted = execRequest(query, container);
  const hungUp = new AbortController();
  socket.once('close', () => hungUp.abort());
  const signal = AbortSignal.any([hungUp.signal, closing]);
  const stream = await deps.podAccess.exec(pod, wanted, signal);
  stream.pause();
  signal.addEventListener('abort', () => stream.close(), { once: true });
  if (signal.aborted) stream.close();
  try {
    connectExec(stream, await open(upgrade, wanted));
  } catch (error) {
    stream.close();
    throw error;
  }
}

type Open = (upgrade: Upgrade, wanted: ReturnType<typeof execRequest>) => Promise<ExecTransport>;

function protocolOf({ headers }: IncomingMessage): Open {
  const upgrade = headers.upgrade?.toLowerCase();
  if (upgrade === 'spdy/3.1') return openExecSpdy;
  if (upgrade !== 'websocket') throw badRequest('Upgrade request required: WebSocket or SPDY/3.1');
  if (webSocketProtocolOf(headers['sec-websocket-protocol']) === undefined)
    throw badRequest('the subprotocol must be v5.channel.k8s.io or v4.channel.k8s.io');
  return ({ request, socket, head }) => openExecWebSocket(request, socket, head);
}

const execPath = /^\/api\/v1\/namespaces\/([^/]+)\/pods\/([^/]+)\/exec$/;

function addressOf({ url = '' }: IncomingMessage) {
  const [path = '', query = ''] = url.split('?');
  const [, namespace, name] = execPath.exec(path) ?? [];
  if (namespace === undefined || name === undefined)
    throw new StatusError('NotFound', 'the server could not find the requested resource');
  return { namespace, name, query: new URLSearchParams(query) };
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
