/** Before each file of the project `sanitised`: the C program is the sanitised one, and nothing may be found. */
import { afterEach, beforeAll, expect, vi } from 'vitest';
import { buildSanitised, buildTimeoutMs, sanitiserReports } from './sanitised.ts';

vi.mock('../../native/binary.ts', async () => {
  const { sanitisedBinary } = await import('./sanitised.ts');
  return { nativeBinary: sanitisedBinary };
});

beforeAll(buildSanitised, buildTimeoutMs);

afterEach(() => expect(sanitiserReports()).toEqual([]));
