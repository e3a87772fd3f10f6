import { stringify } from 'yaml';

/** As `-o yaml` and `-o json` show it; managedFields are for machines and left out of YAML. */
export function formatObject(object: unknown, format: 'yaml' | 'json'): string {
  if (format === 'json') return `${JSON.stringify(object, undefined, 2)}\n`;
  return stringify(object, withoutManagedFields, {
    lineWidth: 0,
    version: '1.1',
    aliasDuplicateObjects: false,
  });
}

const withoutManagedFields = (key: unknown, value: unknown): unknown =>
  key === 'managedFields' ? undefined : value;
