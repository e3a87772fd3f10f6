import { isObject } from '../../../api/normalize.ts';
import { StatusError } from '../../../api/status.ts';
import { changedFields, type Pair } from './changed-fields.ts';
import { type FieldSet, intersection, isLeaf } from './field-set.ts';
import type { ManagedFields } from './managed-fields.ts';

export interface Conflict {
  readonly entry: ManagedFields;
  /** Those of its fields that would get another value: none, if it is at peace. */
  readonly fields: FieldSet;
}

interface Contest extends Pair {
  readonly owned: FieldSet;
  readonly others: readonly ManagedFields[];
}

/** Fields that another manager holds and that would get another value. The same value is shared in peace. */
export const conflictsWith = ({ owned, others, ...pair }: Contest): readonly Conflict[] =>
  others.map((entry) => ({
    entry,
    fields: changedFields(pair, intersection(owned, entry.fieldsV1)),
  }));

/** In Kubernetes' words: kubectl prints the message as it is. */
export function conflictError(conflicts: readonly Conflict[]): StatusError {
  const reason = 'FieldManagerConflict';
  const causes = conflicts.flatMap(({ entry, fields }) => {
    const message = `conflict with ${describe(entry)}`;
    return pathsOf(fields).map((field) => ({ reason, message, field }));
  });
  const list = [...Map.groupBy(causes, ({ message }) => message)].flatMap(([message, same]) => [
    `${message.replace('conflict', 'conflicts')}:`,
    ...same.map(({ field }) => `- ${field}`),
  ]);
  const told =
    causes.length === 1
      ? `1 conflict: ${causes[0]?.message}: ${causes[0]?.field}`
      : `${causes.length} conflicts: ${list.join('\n')}`;
  const message = `Apply failed with ${told}`;
  return new StatusError('Conflict', message, { details: { causes } });
}

function describe({ manager, subresource, operation, apiVersion }: ManagedFields): string {
  const where = subresource ? ` with subresource "${subresource}"` : '';
  return `"${manager}"${where}${operation === 'Update' ? ` using ${apiVersion}` : ''}`;
}

/** As Kubernetes writes them: .spec.template.spec.containers[name="web"].image */
const pathsOf = (fields: FieldSet): readonly string[] =>
  Object.entries(fields).flatMap(([step, inner]) => {
    const ends = isLeaf(inner) ? [''] : pathsOf(inner);
    return ends.map((end) => `${formatStep(step)}${end}`);
  });

function formatStep(step: string): string {
  const rest = step.slice(2);
  if (step === '.') return '';
  if (step.startsWith('f:')) return `.${rest}`;
  if (step.startsWith('v:')) return `[=${rest}]`;
  const keys: unknown = JSON.parse(rest);
  const entries = Object.entries(isObject(keys) ? keys : {});
  return `[${entries.map(([key, value]) => `${key}=${JSON.stringify(value)}`).join(',')}]`;
}
