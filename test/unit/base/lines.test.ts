import { expect, it } from 'vitest';
import { linesOf } from '../../../base/lines.ts';

const linesIn = (...chunks: readonly Buffer[]) =>
  Array.fromAsync(linesOf(ReadableStream.from(chunks)));

it('gives lines whole, wherever their bytes are parted', async () => {
  const text = Buffer.from('één\n\ntwo and more\nthe rest');
  const whole = ['één', '', 'two and more', 'the rest'];
  expect(await linesIn(text)).toEqual(whole);
  const bytes = Array.from(text, (byte) => Buffer.of(byte));
  expect(await linesIn(...bytes)).toEqual(whole);
});

it('ends a line at "\\n" only', async () => {
  expect(await linesIn(Buffer.from('a\u2028b\rc\n'))).toEqual(['a\u2028b\rc']);
});
