import { expect, it } from 'vitest';
import { cString } from '../../../base/c-string.ts';

it('reads a C string up to its end', () => {
  expect(cString(Buffer.from('eth0\0\0'))).toBe('eth0');
  expect(cString(Buffer.from('eth0'))).toBe('eth0');
});
