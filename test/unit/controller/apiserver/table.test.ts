import { expect, it } from 'vitest';
import { kinds } from '../../../../api/kinds.ts';
import { encodeTable } from '../../../../controller/apiserver/table.ts';

const columnsOf = (name: string) => {
  const kind = kinds.find((candidate) => candidate.kind === name)!;
  const text = encodeTable({ kind, includeObject: 'None', now: 0 }, [], { resourceVersion: '7' });
  const table: Table = JSON.parse(text);
  expect(table).toMatchObject({ kind: 'Table', metadata: { resourceVersion: '7' }, rows: [] });
  return table.columnDefinitions.map(({ name, priority }) => (priority > 0 ? `(${name})` : name));
};

interface Table {
  readonly columnDefinitions: readonly { readonly name: string; readonly priority: number }[];
}

it('has the name first, the age behind what is always shown, and then what is wide', () => {
  expect(columnsOf('Deployment')).toEqual([
    'Name',
    'Ready',
    'Up-to-date',
    'Available',
    'Age',
    '(Containers)',
    '(Images)',
    '(Selector)',
  ]);
});

it('leaves both where a kind places them itself', () => {
  const columns = columnsOf('Event');
  expect(columns[0]).toBe('Last Seen');
  expect(columns.filter((name) => /^\(?(Name|Age)\)?$/.test(name))).toEqual(['(Name)', '(Age)']);
});
