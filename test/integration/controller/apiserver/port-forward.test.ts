import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { KubeConfig, PortForward } from '@kubernetes/client-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Pod } from '../../../../api/pod.ts';
import { parseObject } from '../../../../api/prepare.ts';
import { findKubectls, type RunningKubectl, startKubectl } from '../../../support/kubectl.ts';
import { localPodAccess } from '../../../support/local-pod-access.ts';
import { openTlsWorld, type TlsWorld } from '../../../support/tls-world.ts';
import { waitFor } from '../../../support/wait-for.ts';

/** The pod's ports are this machine's: see localPodAccess. */
let world: TlsWorld;
let echo: Server;
let closedPort: number;

beforeAll(async () => {
  world = await openTlsWorld({ podAccess: localPodAccess() });
  for (const [name, phase] of [
    ['web', 'Running'],
    ['done', 'Succeeded'],
  ]) {
    const parsed = parseObject(Pod, {
      metadata: { name, namespace: 'default' },
      spec: { nodeName: 'n1', containers: [{ name: 'web', image: 'web:1' }] },
      status: { phase },
    });
    if ('errors' in parsed) throw new Error(JSON.stringify(parsed.errors));
    await world.objects.create(Pod, parsed.object);
  }
  echo = await listening((socket) => socket.pipe(socket));
  const brief = await listening(() => {});
  closedPort = portOf(brief);
  brief.close();
});

afterAll(async () => {
  echo.close();
  await world.close();
});

async function listening(serve: (socket: Socket) => void): Promise<Server> {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => socket.destroy());
    serve(socket);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return server;
}

const portOf = (server: Server) => (server.address() as AddressInfo).port;

const digest = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');

/** Sends everything, ends its side, and gives what came back until the other has ended too. */
async function through(port: number, bytes: Buffer): Promise<Buffer> {
  const socket = connect({ host: '127.0.0.1', port, allowHalfOpen: true });
  socket.end(bytes);
  return buffer(socket);
}

const pattern = (length: number) => Buffer.alloc(length, 'through the forwarded port, ');

describe.each(findKubectls())('kubectl $version port-forward', (kubectl) => {
  const forward = (what: string, port: number) =>
    startKubectl(kubectl, ['port-forward', what, `:${port}`], {
      ...{ kubeconfig: world.kubeconfig, cacheDir: join(world.dir, kubectl.version) },
    });

  const localPort = (running: RunningKubectl) =>
    waitFor(
      'the forwarding',
      () => Number(/127\.0\.0\.1:(\d+) ->/.exec(running.out())?.[1]) || undefined,
    );

  it('carries megabytes intact, many connections at once, each to its end', async () => {
    const running = forward('pod/web', portOf(echo));
    try {
      const local = await localPort(running);
      const much = pattern(16_000_000);
      expect(digest(await through(local, much))).toBe(digest(much));
      const several = Array.from({ length: 30 }, (_, i) => pattern(i * 10_000));
      const back = await Promise.all(several.map((bytes) => through(local, bytes)));
      expect(back.map(digest)).toEqual(several.map(digest));
    } finally {
      running.stop();
      await running.ended;
    }
  });

  it('says that a port is refused', async () => {
    const running = forward('pod/web', closedPort);
    const local = await localPort(running);
    const socket = connect(local, '127.0.0.1');
    // kubectl closes the connection with its bytes unread: the end comes as an end or as a reset.
    socket.on('error', () => {}).end('hello');
    await once(socket, 'close');
    await waitFor('the reason', () => running.err().includes('nothing listens'));
    running.stop();
    await running.ended;
  });
});

it('forwards for @kubernetes/client-node, and tells it of a refused port', async () => {
  const config = new KubeConfig();
  config.loadFromFile(world.kubeconfig);
  const open = async (port: number) => {
    const [output, error, input] = [new PassThrough(), new PassThrough(), new PassThrough()];
    const forward = new PortForward(config);
    const socket = await forward.portForward('default', 'web', [port], output, error, input);
    if (typeof socket === 'function') throw new Error('a socket was expected');
    socket.onclose = () => [output, error].map((stream) => stream.end());
    return { output, error, input };
  };
  const { output, input } = await open(portOf(echo));
  const much = pattern(8_000_000);
  input.end(much);
  expect(digest(await buffer(output))).toBe(digest(much));
  expect((await buffer((await open(closedPort)).error)).toString()).toContain('nothing listens');
});
