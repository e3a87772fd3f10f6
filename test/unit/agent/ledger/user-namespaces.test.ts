import { describe, expect, it } from 'vitest';
import { idsPerPod, nextUserNamespace } from '../../../../agent/ledger/user-namespaces.ts';

const slot = (n: number) => 1_048_576 + n * idsPerPod;
const all = Array.from({ length: 4096 }, (_, n) => slot(n));

describe('the next range of user ids', () => {
  const check = (
    what: string,
    given: { taken: readonly number[]; last: number | undefined },
    expected: number,
  ) =>
    it(what, () => {
      expect(nextUserNamespace(new Set(given.taken), given.last).firstId).toBe(expected);
    });
  check('is the first one at first', { taken: [], last: undefined }, slot(0));
  check('is behind the last one, even if that is free', { taken: [], last: slot(4) }, slot(5));
  check('skips what is taken', { taken: [slot(5), slot(6)], last: slot(4) }, slot(7));
  check('begins again at the end', { taken: [slot(0)], last: slot(4095) }, slot(1));
  it("is refused when all are taken: none would be the host's", () => {
    expect(() => nextUserNamespace(new Set(all), slot(9))).toThrow(RangeError);
  });
});
