import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { text as readText } from 'node:stream/consumers';
import type { Pod } from '../../api/pod.ts';
import { Service } from '../../api/service.ts';
import { errorChain } from '../../base/error-chain.ts';
import { text, UsageError } from '../../base/flags.ts';
import { openChannels } from '../channels.ts';
import type { Cli } from '../cli.ts';
import { CliError } from '../cli-error.ts';
import { defineVerb } from '../define-verb.ts';
import { pickPod, podRef } from '../pods-of.ts';
import { type ObjectRef, objectPath } from '../resources.ts';
import { refWithPods } from '../targets.ts';

export const definePortForward = defineVerb({
  words: {
    '<pod>': 'a pod, or KIND/NAME of what has pods',
    '<ports...>': 'LOCAL:REMOTE · PORT for both · :REMOTE for any local one',
  },
  flags: { address: text('list', 'where to listen on this machine', '127.0.0.1') },
  /** Until Ctrl-C. */
  async run(cli, [target = '', ...words], { address }) {
    const forwards = words.map(parseForward);
    const ref = await refWithPods(cli, target);
    // At once, so that what can't be is said before anything listens.
    await Promise.all(forwards.map(({ remote }) => findEnd(cli, ref, remote)));
    using listeners = new DisposableStack();
    for (const forward of forwards)
      for (const host of address.replaceAll('localhost', '127.0.0.1').split(','))
        listeners.defer(await listen(cli, ref, { ...forward, host }));
    const interruption = cli.io.interruption();
    if (!interruption.aborted) await once(interruption, 'abort');
  },
});

/** `remote` is a number, or the name of a Service's port. */
function parseForward(word: string) {
  const [, local, remote = ''] = /^(?:(\d*):)?([\w-]+)$/.exec(word) ?? [];
  const port = Number(local ?? remote);
  if (remote === '' || Number.isNaN(port) || port > 65_535)
    throw new UsageError(`"${word}" is not LOCAL:REMOTE, such as 8080:80`);
  return { local: port, remote };
}

type Listening = ReturnType<typeof parseForward> & { readonly host: string };

/** Gives what ends it, its connections too. */
async function listen(cli: Cli, ref: ObjectRef, wanted: Listening): Promise<() => void> {
  const { local, remote, host } = wanted;
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => sockets.delete(socket));
    forward(cli, socket, findEnd(cli, ref, remote)).catch((error: unknown) => {
      cli.err(`orc: a connection to port ${remote}: ${errorChain(error)}`);
      socket.destroy();
    });
  });
  try {
    await once(server.listen(local, host), 'listening');
  } catch (cause) {
    throw cannotListen(wanted, cause);
  }
  const { port } = server.address() as AddressInfo;
  cli.out(`Forwarding from ${host.includes(':') ? `[${host}]` : host}:${port} -> ${remote}`);
  return () => {
    server.close();
    for (const socket of sockets) socket.destroy();
  };
}

function cannotListen({ host, local, remote }: Listening, cause: unknown): CliError {
  const { code } = cause as NodeJS.ErrnoException;
  if (code === 'EADDRINUSE')
    return new CliError(`port ${local} of ${host} is in use: name another, or :${remote} for any`);
  if (code === 'EACCES')
    return new CliError(`port ${local} of ${host} is not allowed: name one above 1023`);
  return new CliError(`can't listen on ${host}:${local}`, { cause });
}

/** Looked up for each connection: a Deployment's pods come and go. */
async function findEnd({ api }: Cli, ref: ObjectRef, remote: string) {
  const pod = await pickPod(api, ref);
  const service = ref.kind.kind === Service.kind ? await api.get<Service>(ref) : undefined;
  const port = service ? targetPort(service, pod, remote) : portOfPod(pod, remote);
  return { pod: podRef(pod), port };
}

function targetPort(service: Service, pod: Pod, remote: string): number {
  const { ports = [] } = service.spec;
  const found = ports.find(({ port, name }) => String(port) === remote || name === remote);
  if (found) return portOfPod(pod, String(found.targetPort ?? found.port));
  const known = ports.map(({ port }) => port).join(', ');
  throw new CliError(`service/${service.metadata.name} has no port ${remote}; it has ${known}`);
}

function portOfPod({ metadata, spec }: Pod, remote: string): number {
  if (/^\d+$/.test(remote)) return Number(remote);
  const named = spec.containers.flatMap(({ ports = [] }) => ports);
  const port = named.find(({ name }) => name === remote)?.containerPort;
  if (port === undefined) throw new CliError(`pod ${metadata.name} has no port named ${remote}`);
  return port;
}

/** Channel 0 is the connection's data, 1 what went wrong; the first message of each is the port. */
async function forward(cli: Cli, socket: Socket, end: ReturnType<typeof findEnd>): Promise<void> {
  const { pod, port } = await end;
  const { connection } = await cli.api.connected();
  const request = { path: objectPath(pod, 'portforward'), query: { ports: port } };
  const { channel, closed, close } = await openChannels(connection, request);
  socket.on('close', close);
  if (socket.destroyed) close();
  socket.pipe(channel(0)).drop(1).pipe(socket);
  const failure = readText(channel(1).drop(1));
  const broke = await closed;
  if (await failure) throw new CliError(await failure);
  if (broke && !socket.destroyed) throw broke;
}
