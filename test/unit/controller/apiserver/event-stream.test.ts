import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openEventStream } from '../../../../controller/apiserver/event-stream.ts';
import { waitFor } from '../../../support/wait-for.ts';

const megabyte = Buffer.alloc(1024 * 1024, 'x');

let server: Server;
let closing: AbortController;
let opened: ReturnType<typeof openEventStream> | undefined;

beforeEach(async () => {
  closing = new AbortController();
  opened = undefined;
  server = createServer((_, response) => {
    opened = openEventStream(response, closing.signal);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
});

afterEach(() => {
  server.closeAllConnections();
  server.close();
});

/** A client that begins to read when it is told to. */
async function openClient() {
  const { port } = server.address() as AddressInfo;
  const client = connect(port, '127.0.0.1').pause();
  client.on('error', () => {});
  client.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  const stream = await waitFor('the stream', () => opened);
  let ended = 0;
  stream.onEnd(() => ended++);
  return { client, stream, ended: () => ended };
}

describe('a stream of events', () => {
  it('is cut when its client leaves more unread than is allowed, and told once', async () => {
    const { client, stream, ended } = await openClient();
    stream.goLive();
    let sent = 0;
    for (; ended() === 0 && sent < 64; sent++) {
      stream.send(megabyte);
      await new Promise(setImmediate);
    }
    // 16 MiB, and what the kernel's buffers hold.
    expect(sent).toBeGreaterThan(16);
    expect(sent).toBeLessThan(40);
    stream.send(megabyte);
    stream.end();
    expect(ended()).toBe(1);
    client.destroy();
  });

  it('may begin with more than that, which is read in its own time', async () => {
    const { client, stream, ended } = await openClient();
    for (let n = 0; n < 64; n++) stream.send(megabyte);
    stream.goLive();
    stream.send('last\n');
    expect(ended()).toBe(0);
    let tail = '';
    client.on('data', (chunk: Buffer) => {
      tail = (tail + chunk.subarray(-20).toString()).slice(-20);
    });
    client.resume();
    await waitFor('the last event', () => tail.includes('last'));
    client.destroy();
    await waitFor('its end', () => ended() === 1);
  });

  it('ends when the server closes, with what was sent before', async () => {
    const { client, stream, ended } = await openClient();
    stream.send('event\n');
    closing.abort();
    expect(ended()).toBe(1);
    const chunks: Buffer[] = [];
    client.on('data', (chunk: Buffer) => chunks.push(chunk));
    client.resume();
    await waitFor('the last chunk', () => Buffer.concat(chunks).toString().endsWith('0\r\n\r\n'));
    expect(Buffer.concat(chunks).toString()).toContain('event\n');
  });
});
