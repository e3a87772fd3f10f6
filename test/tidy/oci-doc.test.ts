import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { ociSpec } from '../../agent/oci/oci-spec.ts';
import type { Schema } from '../../api/schema.ts';

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');

const rows = read('docs/oci.md')
  .split('\n')
  .filter((line) => line.startsWith('| `'))
  .map((line) => {
    const [, names = '', support = '', test = ''] = line.split('|').map((cell) => cell.trim());
    return { fields: names.split(', ').map((name) => name.slice(1, -1)), support, test };
  });
const documented = rows.flatMap(({ fields }) => fields);

/** "process.user.uid"; of a list or a map, those of its entries. */
function fieldsOf({ shape }: Schema, path: string): readonly string[] {
  if (shape.kind === 'list') return fieldsOf(shape.item, path);
  if (shape.kind === 'map') return fieldsOf(shape.value, path);
  if (shape.kind !== 'object') return [path];
  return Object.entries(shape.fields).flatMap(([name, field]) =>
    fieldsOf(field, path === '' ? name : `${path}.${name}`),
  );
}

it('docs/oci.md has every field of config.json, by itself or with those around it', () => {
  const covers = (field: string) =>
    documented.some((row) => field === row || field.startsWith(`${row}.`));
  expect(fieldsOf(ociSpec, '').filter((field) => !covers(field))).toEqual([]);
});

it('docs/oci.md has no other field, none twice, and says something of each', () => {
  const real = fieldsOf(ociSpec, '');
  const isReal = (row: string) =>
    real.some((field) => field === row || field.startsWith(`${row}.`));
  expect(documented.filter((row) => !isReal(row))).toEqual([]);
  expect(new Set(documented).size).toBe(documented.length);
  expect(rows.filter(({ support }) => support === '')).toEqual([]);
});

it('docs/oci.md names a test for each field, which names the field', () => {
  const isNamed = (field: string, test: string) => {
    const text = read(`test/${test}.test.ts`) + (test.startsWith('linux/cgroups') ? limits : '');
    return text.includes(field) || text.includes(field.replace('linux.resources.', ''));
  };
  const unnamed = rows.flatMap(({ fields, test }) => fields.filter((f) => !isNamed(f, test)));
  expect(unnamed).toEqual([]);
});

const limits = read('test/support/cgroup-limits.ts');
