import { expect, it } from 'vitest';
import { codeOf, sourceFiles } from './source-tree.ts';

/** Calls that make a descriptor which exec would hand on, unless they are told not to (dup2 is meant to). */
const maker = /\b(open|openat|open_tree|socket|socketpair|accept4?|pipe2?|dup3?|memfd_create)\(/;

/** Descriptors of processes that close all others before anything else is executed. */
const allowed: readonly RegExp[] = [
  /^native\/dial\.c: .*SOCK_STREAM/,
  /^native\/launch\.c: .*null = open/,
];

it('every descriptor of the C program is closed by exec from its first moment', () => {
  const statements = sourceFiles(/^native\/.*\.c$/)
    .map(codeOf)
    .flatMap(({ path, lines }) =>
      lines
        .map((line) => line.replaceAll(/"[^"]*"/g, '""').replace(/\/[/*].*/, ''))
        .join(' ')
        .split(/[;{}]/)
        .map((statement) => `${path}: ${statement.trim().replaceAll(/\s+/g, ' ')}`),
    );
  const makers = statements.filter((statement) => maker.test(statement));
  expect(makers.length).toBeGreaterThan(20);
  const bare = makers.filter((statement) => !statement.includes('CLOEXEC'));
  expect(bare.filter((statement) => !allowed.some((pattern) => pattern.test(statement)))).toEqual(
    [],
  );
  expect(bare).toHaveLength(allowed.length);
});
