import { expect, it } from 'vitest';
import { forwardPort, sharedInput } from '../../../../controller/apiserver/port-forward.ts';

it('lets a shared connection flow when the last who holds it lets go', () => {
  const told: string[] = [];
  const input = sharedInput({ pause: () => told.push('pause'), resume: () => told.push('resume') });
  input.hold(1);
  input.hold(2);
  input.release(1);
  expect(told).toEqual(['pause', 'pause']);
  input.release(2);
  expect(told.at(-1)).toBe('resume');
});

it.each([0, 70_000, 1.5, Number.NaN])('asks no pod for port %d', async (port) => {
  const finished = Promise.withResolvers<string | undefined>();
  forwardPort(() => Promise.reject(new Error('asked')), port, {
    ...{ output: () => true, finish: finished.resolve, holdInput() {}, releaseInput() {} },
  });
  expect(await finished.promise).toBe(`there is no port ${port}`);
});
