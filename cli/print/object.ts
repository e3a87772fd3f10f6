import { stringify } from 'yaml';

/** As `-o yaml` shows it; managedFields are for machines and left out. */
export function formatYaml(object: unknown): string {
  const withoutManagedFields = (key: unknown, value: unknown) =>
    key === 'managedFields' ? undefined : value;
  const options = { lineWidth: 0, version: '1.1', aliasDuplicateObjects: false } as const;
  return stringify(object, withoutManagedFields, options);
}
