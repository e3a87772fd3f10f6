import { strict as assert } from 'node:assert';

/** A name that the API has validated long before; here another one would be a way out of the directory. */
export function assertFileName(name: string): string {
  assert.match(name, /^[A-Za-z0-9][A-Za-z0-9._-]{0,252}$/);
  return name;
}
