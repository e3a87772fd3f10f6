import { expect, it } from 'vitest';
import { positionIn } from '../../../../agent/kernel/cgroup-trees.ts';

const tree = (root: string, own: string) =>
  ({ controller: 'memory', mount: '/sys/fs/cgroup/memory', root, own, handsDown: [] }) as const;

const rows: readonly [string, ReturnType<typeof tree>, string, string][] = [
  ['an absolute parent from the top', tree('/', '/a/b'), '/orc', '/orc'],
  ['a relative parent below this process', tree('/', '/a/b'), 'orc', '/a/b/orc'],
  ['a relative parent at the top', tree('/', '/'), 'orc', '/orc'],
  ['what a mount of a part shows', tree('/a', '/a/b'), 'orc', '/b/orc'],
];
it.each(rows)('places %s', (_, where, parent, position) => {
  expect(positionIn(where, parent)).toBe(position);
});

it.each([
  ['a mount of another part', tree('/x', '/a')],
  ['a cgroup namespace', tree('/../..', '/')],
])('can’t place a relative parent in %s, and says what to do', (_, where) => {
  expect(() => positionIn(where, 'orc')).toThrow(/name the parent cgroup/);
});
