import { type Context, createContext, Script } from 'node:vm';

/**
 * Runs what is synchronous and changes nothing, and stops it in the middle when it takes longer: somebody else's regular
 * expression may take for ever. undefined: it was stopped.
 */
export function withinTime<T>(timeout: number, run: () => T): { readonly result: T } | undefined {
  let outcome: { readonly result: T } | undefined;
  // Made when it is first needed: half a millisecond, and memory that a start has no use for.
  const place = places.getOrInsertComputed(script, () => createContext());
  place.run = () => void (outcome = { result: run() });
  try {
    script.runInContext(place, { timeout });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_SCRIPT_EXECUTION_TIMEOUT') throw error;
  }
  return outcome;
}

const script = new Script('run()');
const places = new WeakMap<Script, Context>();
