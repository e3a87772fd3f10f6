import { expect, it } from 'vitest';
import { StatusError } from '../../../../api/status.ts';
import { awaitFresh } from '../../../../controller/apiserver/freshness.ts';
import type { Cache } from '../../../../controller/store/objects.ts';
import { fakeClock } from '../../../support/fake-clock.ts';

/** A cache at revision 5 that reaches what it is told to; the store is at 7. */
function reader(reaches: boolean) {
  const clock = fakeClock();
  const waited: number[] = [];
  const cache: Pick<Cache, 'revision' | 'reached'> = {
    revision: 5,
    reached: (revision) => {
      waited.push(revision);
      return reaches ? Promise.resolve() : new Promise(() => {});
    },
  };
  const deps = { clock, cache, currentRevision: async () => 7 };
  return { clock, waited, read: (at: string) => awaitFresh(deps, at) };
}

it.each([
  ['', [7]],
  ['0', []],
  ['4', []],
  ['6', [6]],
])('reading at resourceVersion "%s" waits for %j', async (at, expected) => {
  const { read, waited } = reader(true);
  await read(at);
  expect(waited).toEqual(expected);
});

it('does not wait for ever for a resourceVersion that is not there yet', async () => {
  const { read, clock } = reader(false);
  const reading = read('100').catch((error: unknown) => error);
  await Promise.resolve();
  clock.advance(3_000);
  const error = await reading;
  expect(error).toBeInstanceOf(StatusError);
  expect(error).toMatchObject({
    reason: 'Timeout',
    message: 'Too large resource version: 100, current: 5',
    details: { causes: [{ reason: 'ResourceVersionTooLarge' }] },
  });
});

it('refuses what is no resourceVersion', async () => {
  await expect(reader(true).read('new')).rejects.toThrow(/must be a number/);
});
