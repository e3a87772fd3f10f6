import { once } from 'node:events';
import { duplexPair } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { setImmediate } from 'node:timers/promises';
import { constants, deflateSync } from 'node:zlib';
import { expect, it, vi } from 'vitest';
import { openSpdyConnection } from '../../../../../controller/apiserver/spdy/connection.ts';
import {
  control,
  decodeFrame,
  encodeControl,
  encodeData,
  type Frame,
  uint32,
} from '../../../../../controller/apiserver/spdy/frame.ts';
import { dictionary } from '../../../../../controller/apiserver/spdy/header-block.ts';

const deaf = { opened() {}, received() {}, ended() {}, reset() {}, closed() {} };

/** kubectl sends a ping every five seconds. */
it('sends all that was said before its goodbye, though the client pings after it', async () => {
  const [server, client] = duplexPair();
  const connection = openSpdyConnection(server, deaf);
  const output = Buffer.alloc(1_000_000, 'not read yet ');
  connection.send(5, output);
  connection.finish(5);
  connection.close();
  client.write(encodeControl(control.ping, uint32(1)));
  await setImmediate();
  const [data, end, goodbye, ...more] = framesIn(await buffer(client));
  expect(data?.payload.equals(output)).toBe(true);
  expect([end?.fin, goodbye, more]).toMatchObject([true, { control: control.goAway }, []]);
});

/** Two hundred kilobytes can stand for as many megabytes. */
it('hangs up on headers that would fill its memory', async () => {
  const [server, client] = duplexPair();
  const closed = Promise.withResolvers<void>();
  const opened = vi.fn();
  openSpdyConnection(server, { ...deaf, opened, closed: closed.resolve });
  const headers = Buffer.concat([...[1, 1, 0, 4_000_000].map(uint32), Buffer.alloc(4_000_000)]);
  const block = deflateSync(headers, { dictionary, finishFlush: constants.Z_SYNC_FLUSH });
  const place = Buffer.concat([uint32(1), Buffer.alloc(6)]);
  client.write(encodeControl(control.synStream, Buffer.concat([place, block])));
  await closed.promise;
  expect(opened).not.toHaveBeenCalled();
});

it('hangs up on headers that are not compressed', async () => {
  const [server, client] = duplexPair();
  const closed = Promise.withResolvers<void>();
  openSpdyConnection(server, { ...deaf, closed: closed.resolve });
  client.write(encodeControl(control.synStream, Buffer.alloc(1000, 'nonsense')));
  await closed.promise;
});

it('tells of its end though nothing is read just now', async () => {
  const [server, client] = duplexPair();
  const closed = Promise.withResolvers<void>();
  const connection = openSpdyConnection(server, { ...deaf, closed: closed.resolve });
  connection.pause();
  client.write(encodeData(1, Buffer.alloc(10)));
  await setImmediate();
  server.destroy();
  await closed.promise;
});

it('takes the largest frame in small pieces in no time', async () => {
  const [server, client] = duplexPair();
  const received = Promise.withResolvers<number>();
  openSpdyConnection(server, { ...deaf, received: (_, { length }) => received.resolve(length) });
  const frame = encodeData(1, Buffer.alloc(2 ** 24 - 1));
  const startMs = performance.now();
  for (let at = 0; at < frame.length; at += 16_384)
    if (!client.write(frame.subarray(at, at + 16_384))) await once(client, 'drain');
  expect(await received.promise).toBe(2 ** 24 - 1);
  expect(performance.now() - startMs).toBeLessThan(1_000);
});

function framesIn(bytes: Buffer): readonly Frame[] {
  const next = decodeFrame(bytes);
  return next ? [next.frame, ...framesIn(bytes.subarray(next.end))] : [];
}
