import { addAbortListener } from 'node:events';
import {
  type ClientRequest,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  request as openRequest,
  type ServerResponse,
} from 'node:http';
import type { Duplex } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { connect as connectTls } from 'node:tls';
import { Node } from '../../api/node.ts';
import { own } from '../../api/normalize.ts';
import { found, StatusError } from '../../api/status.ts';
import { errorChain } from '../../base/error-chain.ts';
import type { ApiServer, Call, Streaming } from './call.ts';
import type { Upgrade } from './exec-session.ts';
import { metricsType } from './metrics-routes.ts';
import { requestHeaders, responseHeaders, returnedHeaders } from './proxy-headers.ts';
import {
  findProxyTarget,
  type ProxyAddress,
  parseProxyAddress,
  proxiedKinds,
} from './proxy-target.ts';
import { badRequest } from './request-options.ts';
import { objectPath } from './resource-path.ts';
import { methodNotAllowed, type ResourceRoute } from './resource-routes.ts';
import { noSuchPath } from './status-reply.ts';
import { tunnelOf } from './tunnel.ts';

/** With ":namespace" and ":name" where these stand. */
export const proxyPaths: readonly string[] = proxiedKinds.flatMap((kind) => {
  const path = `${objectPath(kind, (name) => `:${name}`)}/proxy`;
  return [path, `${path}/*`];
});

/** pods/proxy and services/proxy: HTTP over the tunnel that forwards ports. nodes/proxy: what a node says of itself. */
export function proxyRoute({ raw }: { readonly raw: IncomingMessage }): ResourceRoute {
  const { kind, namespace, name } = addressOf(raw);
  const verb = own(verbs, raw.method ?? '');
  if (!verb || (kind === Node && raw.method !== 'GET')) throw methodNotAllowed();
  const handle = kind === Node ? nodeAnswer : relay;
  return { kind, namespace, name, subresource: 'proxy', verb, handle };
}

const verbs: Readonly<Record<string, ResourceRoute['verb']>> = {
  ...{ GET: 'get', HEAD: 'get', OPTIONS: 'get' },
  ...{ POST: 'create', PUT: 'update', PATCH: 'patch', DELETE: 'delete' },
};

async function nodeAnswer({ raw: { request }, name }: Call, server: ApiServer): Promise<Streaming> {
  found(Node, name, server.cache.get(Node, { namespace: '', name }));
  const [, what] = /^\/(metrics|healthz)(?:\?|$)/.exec(addressOf(request).rest) ?? [];
  if (what !== 'metrics' && what !== 'healthz')
    throw new StatusError('NotFound', 'of a node there are only /metrics and /healthz');
  const text = await server.podAccess.nodeText(name, what, server.closing);
  return {
    stream: (response) => response.writeHead(200, { 'content-type': metricsType }).end(text),
  };
}

async function relay({ raw }: Call, server: ApiServer): Promise<Streaming> {
  const { request, response } = raw;
  const address = addressOf(request);
  const { prefix, rest } = address;
  // A page's relative links would miss the prefix.
  if (!rest.startsWith('/') && (request.method === 'GET' || request.method === 'HEAD'))
    return { stream: () => response.writeHead(301, { location: `${prefix}/${rest}` }).end() };
  const upstream = await ask(address, server, { request, client: response, headers: {} });
  // A pod may answer before it has heard everything, and hang up.
  pipeline(request, upstream).catch(() => {});
  const { answer } = await answerTo(upstream);
  return {
    stream() {
      const headers = responseHeaders(answer, { prefix, host: request.headers.host });
      response.writeHead(answer.statusCode ?? 200, answer.statusMessage, headers);
      pipeline(answer, response).catch(() => {});
    },
  };
}

/** WebSockets and the like: after the switch, bytes both ways; any other answer is the last one on this connection. */
export async function relayUpgrade(
  address: ProxyAddress,
  server: ApiServer,
  { request, socket, head }: Upgrade,
): Promise<void> {
  if (address.kind === Node) throw badRequest('of a node there are only plain answers');
  const { upgrade } = request.headers;
  const headers = { connection: 'Upgrade', upgrade };
  const upstream = await ask(address, server, { request, client: socket, headers });
  upstream.end();
  const { answer, switched } = await answerTo(upstream);
  const lines = switched ? answer.rawHeaders : [...returnedHeaders(answer), 'Connection', 'close'];
  const fields = lines.map((text, i) => (i % 2 === 0 ? `${text}: ` : `${text}\r\n`)).join('');
  socket.write(`HTTP/1.1 ${answer.statusCode} ${answer.statusMessage}\r\n${fields}\r\n`, 'latin1');
  if (!switched) return pipeline(answer, socket).catch(() => {});
  socket.write(switched.head);
  switched.socket.write(head);
  switched.socket.once('close', () => socket.destroy());
  socket.pipe(switched.socket).pipe(socket);
}

function addressOf({ url = '' }: IncomingMessage): ProxyAddress {
  const address = parseProxyAddress(url);
  if (!address) throw noSuchPath();
  return address;
}

interface Question {
  readonly request: IncomingMessage;
  /** Beside the client's own. */
  readonly headers: OutgoingHttpHeaders;
  /** Closes when the client has gone. */
  readonly client: ServerResponse | Duplex;
}

/** The client's question, to the pod. It ends when the client has gone, and when the server closes. */
async function ask(address: ProxyAddress, server: ApiServer, question: Question) {
  const { request, headers, client } = question;
  const { pod, port, isTls } = findProxyTarget(address, server);
  const hungUp = new AbortController();
  client.once('close', () => hungUp.abort());
  const signal = AbortSignal.any([hungUp.signal, server.closing]);
  const stream = await server.podAccess.portForward(pod, port, signal).catch((cause: Error) => {
    throw unreachable(cause);
  });
  const tunnel = tunnelOf(stream);
  addAbortListener(signal, () => tunnel.destroy());
  // As Kubernetes: who asks for TLS gets it, whatever the certificate.
  const socket = isTls ? connectTls({ socket: tunnel, rejectUnauthorized: false }) : tunnel;
  socket.on('error', () => tunnel.destroy());
  return openRequest({
    createConnection: () => socket,
    method: request.method,
    path: address.rest.startsWith('/') ? address.rest : `/${address.rest}`,
    headers: { ...requestHeaders(request), ...headers },
  });
}

interface Answered {
  readonly answer: IncomingMessage;
  readonly switched?: { readonly socket: Duplex; readonly head: Buffer };
}

const answerTo = (upstream: ClientRequest): Promise<Answered> =>
  new Promise((resolve, reject) => {
    upstream.once('response', (answer) => resolve({ answer }));
    upstream.once('upgrade', (answer, socket, head) =>
      resolve({ answer, switched: { socket, head } }),
    );
    upstream.on('error', (cause) => reject(unreachable(cause)));
  });

const unreachable = (cause: Error) =>
  new StatusError('ServiceUnavailable', `error trying to reach service: ${errorChain(cause)}`, {
    cause,
  });
