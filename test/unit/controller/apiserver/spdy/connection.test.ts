import { duplexPair } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { setImmediate } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { openSpdyConnection } from '../../../../../controller/apiserver/spdy/connection.ts';
import {
  control,
  decodeFrame,
  encodeControl,
  type Frame,
  uint32,
} from '../../../../../controller/apiserver/spdy/frame.ts';

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

function framesIn(bytes: Buffer): readonly Frame[] {
  const next = decodeFrame(bytes);
  return next ? [next.frame, ...framesIn(bytes.subarray(next.end))] : [];
}
