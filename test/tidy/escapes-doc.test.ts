import { existsSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { root } from './source-tree.ts';

const rows = readFileSync(`${root}docs/escapes.md`, 'utf8')
  .split('\n')
  .filter((line) => /^\| \d/.test(line));

it('docs/escapes.md has all fifty', () => {
  const numbers = rows.map((row) => Number(/^\| (\d+)/.exec(row)?.[1]));
  expect(numbers).toEqual(Array.from({ length: 50 }, (_, i) => i + 1));
});

it('docs/escapes.md names tests that are there', () => {
  const missing = rows.flatMap((row) =>
    [...row.matchAll(/`([a-z0-9]+(?:\/[\w-]+)+)`([^`]*)/g)].flatMap(([, name, titles = '']) => {
      const path = `${root}test/${name}.test.ts`;
      const text = existsSync(path) ? readFileSync(path, 'utf8').replaceAll("\\'", "'") : '';
      const named = [...titles.matchAll(/“([^”]+)”/g)].map(([, title = '']) => title);
      return named.filter((title) => !text.includes(title)).map((title) => `${name}: ${title}`);
    }),
  );
  expect(missing).toEqual([]);
});
