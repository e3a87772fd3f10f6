import { createHash, randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { ExecSession } from '../../../agent/kernel/shim.ts';
import { sandboxSpec } from '../../contract/sandbox-port.contract.ts';
import { type JsonChild, startJsonChild } from '../../support/json-child.ts';
import { openRuntimeHost, type RuntimeHost } from '../../support/runtime-host.ts';
import { waitFor } from '../../support/wait-for.ts';

const script = fileURLToPath(new URL('../../support/port-servers.ts', import.meta.url));
const mebibyte = 2 ** 20;
let host: RuntimeHost;
let servers: JsonChild;
let ports: { echo: number; count: number; bye: number; flood: number };

beforeAll(async () => {
  host = await openRuntimeHost();
  await host.sandbox();
  const sandbox = await host.runtime.sandboxes.find('a');
  const enter = `--net=${sandbox?.networkNamespace}`;
  servers = startJsonChild('nsenter', [enter, process.execPath, script]);
  ports = await servers.call('serve');
});
afterAll(async () => {
  await servers.end();
  await host.end();
});

const dial = (port: number) => host.runtime.sandboxes.dial('a', port);

function follow(session: ExecSession) {
  const chunks: Buffer[] = [];
  session.onOutput((_, chunk) => chunks.push(Buffer.from(chunk)));
  return { session, received: () => Buffer.concat(chunks).toString() };
}

it('carries bytes both ways, and the end of input', async () => {
  const { session, received } = follow(await dial(ports.count));
  session.write(Buffer.from('some bytes'));
  session.endInput();
  expect(await session.exited).toMatchObject({ exitCode: 0 });
  expect(received()).toBe('10');
});

it('ends when the other side does, with all that it has sent', async () => {
  const { session, received } = follow(await dial(ports.bye));
  expect(await session.exited).toMatchObject({ exitCode: 0 });
  expect(received()).toBe('bye');
});

it('says that nobody listens', async () => {
  await expect((await dial(9)).exited).rejects.toMatchObject({ reason: 'ConnectionRefused' });
});

it('brings 100 MB there and back unharmed', async () => {
  const session = await dial(ports.echo);
  const chunk = randomBytes(mebibyte);
  const [sent, back] = [createHash('md5'), createHash('md5')];
  session.onOutput((_, bytes) => back.update(bytes));
  let drained = Promise.withResolvers<void>();
  session.onDrain(() => drained.resolve());
  for (let i = 0; i < 100; i++) {
    sent.update(chunk);
    if (session.write(chunk)) continue;
    await drained.promise;
    drained = Promise.withResolvers<void>();
  }
  session.endInput();
  await session.exited;
  expect(back.digest('hex')).toBe(sent.digest('hex'));
});

it('reads no further while its output is not read, and hangs up when its client does', async () => {
  const session = await dial(ports.flood);
  let received = 0;
  session.onOutput((_, chunk) => {
    received += chunk.length;
    if (received > mebibyte) session.pause();
  });
  await waitFor('some output', () => received > mebibyte);
  await follow(await dial(ports.bye)).session.exited;
  expect(received).toBeLessThan(2 * mebibyte);
  session.close();
  await waitFor('the end', async () => (await servers.call('connections')) === 0);
});

it('serves fifty at once, each its own', async () => {
  const connections = await Promise.all(Array.from({ length: 50 }, () => dial(ports.echo)));
  const answers = connections.map(follow);
  for (const [n, { session }] of answers.entries()) {
    session.write(Buffer.from(`connection ${n}`));
    session.endInput();
  }
  await Promise.all(connections.map(({ exited }) => exited));
  expect(answers.map(({ received }) => received())).toEqual(
    answers.map((_, n) => `connection ${n}`),
  );
});

it('goes to the host’s own ports from a pod with the host’s network', async () => {
  const own = startJsonChild(process.execPath, [script]);
  try {
    const { bye } = await own.call<typeof ports>('serve');
    const spec = sandboxSpec('h', { hostNetwork: true, userNamespace: undefined });
    await host.runtime.sandboxes.ensure(spec, new AbortController().signal);
    const { session, received } = follow(await host.runtime.sandboxes.dial('h', bye));
    await session.exited;
    expect(received()).toBe('bye');
  } finally {
    await own.end();
  }
});
