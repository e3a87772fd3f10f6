import { describe, expect, it } from 'vitest';
import { secretBox } from '../../../../controller/store/secret-box.ts';
import { seededRng } from '../../../support/seeded-rng.ts';

const rng = seededRng(1);
const box = secretBox(rng.bytes(32), rng);
const plain = new TextEncoder().encode('hunter2');

describe('a secret box', () => {
  it('gives back what was sealed', () => {
    expect(Buffer.from(box.open(box.seal(plain, 'a'), 'a')).toString()).toBe('hunter2');
  });

  it('never looks the same twice', () => {
    expect(box.seal(plain, 'a')).not.toEqual(box.seal(plain, 'a'));
  });

  it('does not open in another place', () => {
    expect(() => box.open(box.seal(plain, 'a'), 'b')).toThrow();
  });

  it('does not open with another key', () => {
    expect(() => secretBox(rng.bytes(32), rng).open(box.seal(plain, 'a'), 'a')).toThrow();
  });

  it('does not open when any byte was changed', () => {
    const sealed = box.seal(plain, 'a');
    for (let i = 0; i < sealed.byteLength; i++) {
      const forged = Uint8Array.from(sealed, (byte, at) => (at === i ? byte ^ 1 : byte));
      expect(() => box.open(forged, 'a'), `byte ${i}`).toThrow();
    }
  });
});
