import { mapInner } from './normalize.ts';
import type { Schema } from './schema.ts';

/** Without the fields that the schema doesn't know: what `--validate=false` asks for. */
export const pruneUnknown = (schema: Schema, value: unknown): unknown =>
  mapInner(schema, value, (field, inner) => field && pruneUnknown(field, inner));

/** Without those that orc doesn't support yet, too. */
export const pruneUnsupported = (schema: Schema, value: unknown): unknown =>
  mapInner(schema, value, (field, inner) =>
    field && field.shape.kind !== 'unsupported' ? pruneUnsupported(field, inner) : undefined,
  );
