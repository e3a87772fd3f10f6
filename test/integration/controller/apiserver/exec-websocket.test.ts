import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { parse } from 'yaml';
import { Pod } from '../../../../api/pod.ts';
import { parseObject } from '../../../../api/prepare.ts';
import { type LocalPodAccess, localPodAccess } from '../../../support/local-pod-access.ts';
import { openTlsWorld, type TlsWorld } from '../../../support/tls-world.ts';
import { waitFor } from '../../../support/wait-for.ts';

let world: TlsWorld;
let pods: LocalPodAccess;
let credentials: { ca: Buffer; cert: Buffer; key: Buffer };

beforeAll(async () => {
  pods = localPodAccess();
  world = await openTlsWorld({ podAccess: pods });
  const config = parse(await readFile(world.kubeconfig, 'utf8'));
  const bytes = (text: string) => Buffer.from(text, 'base64');
  credentials = {
    ca: bytes(config.clusters[0].cluster['certificate-authority-data']),
    cert: bytes(config.users[0].user['client-certificate-data']),
    key: bytes(config.users[0].user['client-key-data']),
  };
  const parsed = parseObject(Pod, {
    metadata: { name: 'web', namespace: 'default' },
    spec: { nodeName: 'n1', containers: [{ name: 'web', image: 'web:1' }] },
  });
  if ('errors' in parsed) throw new Error(JSON.stringify(parsed.errors));
  await world.objects.create(Pod, parsed.object);
});

afterAll(() => world.close());

interface Client {
  readonly socket: WebSocket;
  readonly channels: string[];
  readonly closed: Promise<number>;
}

/** Resolves when the connection is open, rejects with the server's answer when it is refused. */
function connect(query: string, protocol = 'v5.channel.k8s.io'): Promise<Client> {
  const path = `/api/v1/namespaces/default/pods/web/exec?${query}`;
  const socket = new WebSocket(`wss://127.0.0.1:${world.port}${path}`, protocol, credentials);
  const channels = ['', '', '', '', ''];
  socket.on('message', (message: Buffer) => {
    const channel = message[0] ?? 0;
    channels[channel] += message.subarray(1).toString();
  });
  const closed = new Promise<number>((resolve) => socket.on('close', resolve));
  return new Promise((resolve, reject) => {
    socket.on('open', () => resolve({ socket, channels, closed }));
    socket.on('error', reject);
  });
}

const send = ({ socket }: Client, channel: number, text: string) =>
  socket.send(Buffer.concat([Buffer.of(channel), Buffer.from(text)]));

const command = (...words: string[]) =>
  words.map((w) => `command=${encodeURIComponent(w)}`).join('&');

it('half-closes stdin when a v5 client says so, and says how the command ended', async () => {
  const client = await connect(`${command('wc', '-c')}&stdin=1&stdout=1`);
  send(client, 0, 'hello');
  client.socket.send(Buffer.of(255, 0));
  expect(await client.closed).toBe(1000);
  expect(client.channels.map((text) => text.trim())).toEqual([
    '',
    '5',
    '',
    '{"metadata":{},"status":"Success"}',
    '',
  ]);
});

it('speaks v4, keeps stderr apart, tells the exit code once', async () => {
  const script = command('sh', '-c', 'echo out; echo err >&2; exit 3');
  const client = await connect(`${script}&stdout=1&stderr=1`, 'v4.channel.k8s.io');
  await client.closed;
  expect(client.channels.slice(1, 3)).toEqual(['out\n', 'err\n']);
  expect(JSON.parse(client.channels[3] ?? '')).toMatchObject({ reason: 'NonZeroExitCode' });
});

it('resizes the terminal', async () => {
  const client = await connect(`${command('cat')}&stdin=1&stdout=1&tty=1`);
  send(client, 4, '{"Width":120,"Height":40}\n');
  await waitFor('the size', () => pods.seen.sizes.includes('120x40'));
  client.socket.send(Buffer.of(255, 0));
  await client.closed;
});

it('starts the command with the terminal’s size, and with what was typed before that was known', async () => {
  pods.seen.sizes.length = 0;
  const client = await connect(`${command('cat')}&stdin=1&stdout=1&tty=1`);
  send(client, 4, '{"Width":100,"Height":30}\n');
  send(client, 0, 'typed');
  client.socket.send(Buffer.of(255, 0));
  await client.closed;
  expect([pods.seen.sizes[0], client.channels[1]]).toEqual(['100x30 at once', 'typed']);
});

it('ends the command when the client hangs up', async () => {
  const client = await connect(`${command('sh', '-c', 'echo $$; exec sleep 600')}&stdout=1`);
  const pid = await waitFor('its pid', () => Number(client.channels[1]) || undefined);
  client.socket.terminate();
  await waitFor('its end', () => !isAlive(pid));
});

it('waits with its output for a client that does not read', async () => {
  const { seen } = pods;
  seen.outputBytes = seen.pauses = 0;
  const client = await connect(`${command('head', '-c', '64000000', '/dev/zero')}&stdout=1`);
  client.socket.pause();
  await waitFor('the command to be held', () => seen.pauses > 0 && seen.outputBytes > 1_000_000);
  expect(seen.outputBytes).toBeLessThan(32_000_000);
  client.socket.resume();
  await client.closed;
  expect(client.channels[1]?.length).toBe(64_000_000);
});

it('refuses before the upgrade what cannot be', async () => {
  const refused = [
    ['stdout=1', 'v5.channel.k8s.io', '400'],
    [`${command('ls')}&stdout=1&container=db`, 'v5.channel.k8s.io', '400'],
    [`${command('ls')}&stdout=1`, 'channel.k8s.io', '400'],
  ] as const;
  for (const [query, protocol, code] of refused)
    await expect(connect(query, protocol)).rejects.toThrow(code);
});

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
