import { describe, expect, it } from 'vitest';
import { errorChain } from '../../../base/error-chain.ts';

const failing = (what: string) => {
  throw new Error(what);
};

describe('what an error says', () => {
  const refused = new Error('connect ECONNREFUSED');
  const endless = new Error('again');
  endless.cause = endless;
  const cases: readonly [name: string, error: unknown, said: string][] = [
    ['nothing', undefined, ''],
    ['its own words', refused, 'connect ECONNREFUSED'],
    ['its name if it has none', new TypeError(), 'TypeError'],
    ['each layer’s words', new Error('pulling', { cause: refused }), `pulling: ${refused.message}`],
    ['what was thrown that is no error', new Error('a', { cause: { b: 1 } }), 'a: {"b":1}'],
    ['only so much of a circle', endless, Array(10).fill('again').join(': ')],
  ];
  it.each(cases)('is %s', (_, error, said) => expect(errorChain(error)).toBe(said));

  it('is both errors when taking down fails too, each with its cause, within another as well', () => {
    const work = async () => {
      await using undo = new AsyncDisposableStack();
      undo.defer(() => failing('umount'));
      undo.defer(() => failing('EBUSY'));
      throw new Error('port', { cause: refused });
    };
    const both = `port: ${refused.message}; and taking down: EBUSY; and taking down: umount`;
    return Promise.all([
      expect(work().catch(errorChain)).resolves.toBe(both),
      expect(work().catch((cause) => errorChain(new Error('starting', { cause })))).resolves.toBe(
        `starting: ${both}`,
      ),
    ]);
  });
});
