import { isObject } from '../../../api/normalize.ts';

/** RFC 7386: objects are merged, null removes, everything else replaces. */
export function applyMergePatch(target: unknown, patch: unknown): unknown {
  if (!isObject(patch)) return patch;
  const merged = new Map(Object.entries(isObject(target) ? target : {}));
  for (const [name, change] of Object.entries(patch)) {
    if (change === null) merged.delete(name);
    else merged.set(name, applyMergePatch(merged.get(name), change));
  }
  return Object.fromEntries(merged);
}
