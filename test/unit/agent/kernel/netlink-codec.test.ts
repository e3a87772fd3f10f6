import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type Attribute,
  decodeAcknowledgement,
  decodeAttributes,
  decodeMessages,
  encodeAttributes,
  encodeBody,
  encodeMessage,
  NLMSG,
  nested,
} from '../../../../agent/kernel/netlink-codec.ts';

const hex = (bytes: Buffer) => bytes.toString('hex');
const bytes = (text: string) => Buffer.from(text.replaceAll(/\s/g, ''), 'hex');

describe('messages', () => {
  it('have a header of 16 bytes in front of the body', () => {
    const message = { type: 16, flags: 0x605, sequence: 7, body: bytes('01020304') };
    expect(hex(encodeMessage(message))).toBe(
      '14000000' + '1000' + '0506' + '07000000' + '00000000' + '01020304',
    );
  });

  it('are read one after the other, each at the next multiple of four', () => {
    const first = encodeMessage({ type: 1, flags: 2, sequence: 3, body: bytes('aabbcc') });
    const second = encodeMessage({ type: 4, flags: 5, sequence: 6, body: bytes('') });
    expect(decodeMessages(Buffer.concat([first, Buffer.alloc(1), second]))).toEqual([
      { type: 1, flags: 2, sequence: 3, body: bytes('aabbcc') },
      { type: 4, flags: 5, sequence: 6, body: bytes('') },
    ]);
  });

  it.each(['00000000', '0f000000', '15000000'])('with the length %s are refused', (length) => {
    expect(() => decodeMessages(bytes(`${length} 0000 0000 00000000 00000000`))).toThrow(
      'truncated',
    );
  });
});

describe('attributes', () => {
  it('carry length and type, and are padded to four bytes', () => {
    expect(
      hex(
        encodeAttributes([
          [3, 'eth0'],
          [4, 1500],
        ]),
      ),
    ).toBe('09000300' + '6574683000' + '000000' + '08000400' + 'dc050000');
  });

  it('nest', () => {
    expect(
      hex(
        encodeAttributes([
          [
            18,
            [
              [1, Buffer.from('veth')],
              [2, [[1, 5]]],
            ],
          ],
        ]),
      ),
    ).toBe('18001200' + '08000100' + '76657468' + '0c000200' + '08000100' + '05000000');
  });

  it('follow the fixed part of a body, with the bit for nesting where it is wanted', () => {
    expect(hex(encodeBody(bytes('02000000'), [1, 7], nested(2, [3, 'a'])))).toBe(
      '02000000' + '08000100' + '07000000' + '0c000280' + '06000300' + '61000000',
    );
  });

  it('are read without the bits for nesting and byte order', () => {
    expect(decodeAttributes(bytes('0500 0180 ff000000 0800 0240 01020304'))).toEqual(
      new Map([
        [1, bytes('ff')],
        [2, bytes('01020304')],
      ]),
    );
  });

  it('come back as they went', () => {
    const attributes = fc.uniqueArray(
      fc.tuple(fc.integer({ min: 1, max: 0x3fff }), fc.uint8Array({ maxLength: 70 })),
      { selector: ([type]) => type },
    );
    fc.assert(
      fc.property(attributes, (list) => {
        const entries = list.map(([type, value]): [number, Buffer] => [type, Buffer.from(value)]);
        expect(decodeAttributes(encodeAttributes(entries))).toEqual(new Map(entries));
      }),
    );
  });

  it('that are too long for their 16-bit length are refused, not cut', () => {
    const long: Attribute = [1, Buffer.alloc(0x10000 - 4)];
    expect(() => encodeAttributes([long])).toThrow('65536 bytes');
  });

  it.each(['0300 0100', '0900 0100 00000000'])('with a wrong length are refused: %s', (text) => {
    expect(() => decodeAttributes(bytes(text))).toThrow('truncated');
  });
});

describe('acknowledgements', () => {
  const request = '20000000 1000 0500 01000000 00000000';
  const explained = `0c00 0100 ${hex(Buffer.from('no way!\0'))}`;
  const check = (flags: number, body: string) =>
    decodeAcknowledgement({ type: NLMSG.ERROR, flags, sequence: 1, body: bytes(body) });

  it('of success have no error', () => {
    expect(check(0x100, `00000000 ${request}`)).toEqual({ errno: 0, text: undefined });
  });

  it('tell the error, and the kernel’s explanation behind the capped request', () => {
    expect(check(0x300, `ea ff ff ff ${request} ${explained}`)).toEqual({
      errno: 22,
      text: 'no way!',
    });
  });

  it('tell it behind a whole request too', () => {
    const body = '00'.repeat(16);
    expect(check(0x200, `efffffff ${request} ${body} ${explained}`)).toEqual({
      errno: 17,
      text: 'no way!',
    });
  });
});
