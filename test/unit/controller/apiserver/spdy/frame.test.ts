import { describe, expect, it } from 'vitest';
import {
  control,
  decodeFrame,
  encodeControl,
  encodeData,
} from '../../../../../controller/apiserver/spdy/frame.ts';
import {
  dictionary,
  openHeaderBlocks,
} from '../../../../../controller/apiserver/spdy/header-block.ts';

describe('frames', () => {
  it('come back as they were', () => {
    expect(decodeFrame(encodeData(5, Buffer.from('abc'), true))).toEqual({
      frame: { type: 'data', stream: 5, fin: true, payload: Buffer.from('abc') },
      end: 11,
    });
    const ping = Buffer.of(0, 0, 0, 1);
    expect(decodeFrame(encodeControl(control.ping, ping))?.frame).toEqual({
      type: 'control',
      control: control.ping,
      fin: false,
      payload: ping,
    });
  });

  it('are not there before their last byte', () => {
    const whole = encodeData(1, Buffer.from('abc'));
    for (let end = 0; end < whole.length; end++)
      expect(decodeFrame(whole.subarray(0, end))).toBe(undefined);
  });
});

describe('header blocks', () => {
  it("use the draft's dictionary", () => {
    expect([dictionary.length, adler32(dictionary).toString(16)]).toEqual([1423, 'e3c6a7c2']);
  });

  it('come back as they were, one after the other', async () => {
    const ours = openHeaderBlocks();
    const theirs = openHeaderBlocks();
    for (const type of ['error', 'stdin', 'stdout']) {
      const headers = new Map([['streamtype', type]]);
      expect(await theirs.decode(await ours.encode(headers))).toEqual(headers);
    }
    ours.close();
    theirs.close();
  });
});

/** What zlib writes into a stream's head to name its dictionary. */
function adler32(bytes: Buffer): number {
  let a = 1;
  let b = 0;
  for (const byte of bytes) {
    a = (a + byte) % 65_521;
    b = (b + a) % 65_521;
  }
  return b * 65_536 + a;
}
