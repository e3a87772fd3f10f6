import assert from 'node:assert';
import type { Kind } from '../../api/kind.ts';
import { firstNamespaces, Namespace } from '../../api/namespace.ts';
import { parseObject } from '../../api/prepare.ts';
import { PriorityClass, systemPriorityClasses } from '../../api/priority-class.ts';
import type { Fields } from '../../api/schema.ts';
import { hasReason } from '../../api/status.ts';
import type { Objects } from '../store/objects.ts';

/** What is there from the start. */
export async function ensureFirstObjects(objects: Objects): Promise<void> {
  for (const name of firstNamespaces) await ensure(objects, Namespace, { metadata: { name } });
  for (const { name, ...rest } of systemPriorityClasses)
    await ensure(objects, PriorityClass, { metadata: { name }, ...rest });
}

async function ensure<F extends Fields>(objects: Objects, kind: Kind<F>, manifest: object) {
  const parsed = parseObject(kind, manifest);
  assert('object' in parsed);
  try {
    await objects.create(kind, parsed.object);
  } catch (error) {
    if (!hasReason(error, 'AlreadyExists')) throw error;
  }
}
