import { posix } from 'node:path';
import { expect, it } from 'vitest';
import { type SourceFile, sourceFiles } from './source-tree.ts';

/**
 * Which folder may import which, as ARCHITECTURE.md says. A folder that isn't here is an error: the table is the
 * architecture. "*" stands for "below"; a folder may always import itself.
 */
const table: Readonly<Record<string, readonly string[]>> = {
  base: [],
  api: ['base'],
  native: [],
  'controller/store': ['base', 'api'],
  'controller/auth': ['base', 'api', 'controller/store'],
  'controller/leader': ['base', 'api', 'controller/store'],
  'controller/admission': ['base', 'api', 'controller/store'],
  'controller/apiserver': ['base', 'api', 'controller/store', 'controller/admission'],
  'controller/scheduler': ['base', 'api', 'controller/store'],
  'controller/controllers': ['base', 'api', 'controller/store', 'controller/admission'],
  'controller/dispatcher': ['base', 'api', 'controller/store'],
  controller: ['base', 'api', 'native', 'controller/*'],
  'agent/kernel': ['base', 'api', 'native'],
  'agent/oci': ['base', 'api', 'agent/kernel'],
  'agent/images': ['base', 'api', 'native', 'agent', 'agent/kernel'],
  'agent/network': ['base', 'api', 'agent', 'agent/kernel'],
  'agent/volumes': ['base', 'api', 'agent', 'agent/kernel'],
  'agent/runtime': ['base', 'api', 'agent', 'agent/kernel', 'agent/oci'],
  'agent/oci-command': ['base', 'agent/kernel', 'agent/oci', 'agent/runtime'],
  'agent/housekeeping': ['base', 'api', 'agent'],
  'agent/ledger': ['base', 'api', 'agent', 'agent/kernel'],
  'agent/session': ['base', 'api', 'agent', 'agent/kernel', 'agent/ledger'],
  'agent/pods': ['base', 'api', 'agent', 'agent/kernel', 'agent/ledger', 'agent/session'],
  'agent/doctor': ['base', 'native', 'agent', 'agent/*'],
  agent: ['base', 'api', 'native', 'agent/*'],
  'cli/print': ['base', 'api', 'cli'],
  'cli/commands': ['base', 'api', 'cli', 'cli/print'],
  cli: ['base', 'api', 'cli/*'],
  'dev/images': ['base'],
  dev: ['base', 'api', 'native', 'dev/images'],
  '.': ['controller', 'agent', 'cli', 'dev', 'test'],
  test: ['*'],
  bench: ['*'],
  deploy: ['.', 'cli'],
};

/** Shared by the loops and the API server; anything else at the top of a role belongs to its main alone. */
const open = new Set([
  ...['controller/pod-access.ts', 'controller/runtime-class.ts', 'controller/usage-board.ts'],
  'agent/ports.ts',
]);
const everybodys = 'package.json';

const folders = Object.keys(table).sort((a, b) => b.length - a.length);
const folderOf = (path: string) =>
  folders.find((f) => path.startsWith(`${f}/`)) ?? (path.includes('/') ? undefined : '.');

it('has every source file in a folder of the table', () => {
  const strays = sourceFiles(/\.ts$/).filter((f) => folderOf(f.path) === undefined);
  expect(strays.map((f) => f.path)).toEqual([]);
});

it('imports only what the table allows', () => {
  expect(sourceFiles(/\.ts$/).flatMap(forbiddenImports)).toEqual([]);
});

it('touches koffi only in native/, gRPC only in session/, dispatcher/ and for etcd, the binding only in kernel/', () => {
  const only: Readonly<Record<string, RegExp>> = {
    koffi: /^native\//,
    '@grpc/grpc-js': /^(agent\/session\/|controller\/(dispatcher\/|store\/etcd-)|test\/|bench\/)/,
  };
  const wrong = sourceFiles(/\.ts$/).flatMap((file) =>
    importsOf(file)
      .filter((name) => only[name] !== undefined && !only[name].test(file.path))
      .map((name) => `${file.path} imports ${name}`),
  );
  expect(wrong).toEqual([]);
});

function forbiddenImports(file: SourceFile): readonly string[] {
  const from = folderOf(file.path) ?? '';
  const allowed = table[from] ?? [];
  return importsOf(file)
    .filter((name) => name.startsWith('.'))
    .map((name) => posix.normalize(posix.join(posix.dirname(file.path), name)))
    .filter((target) => !mayImport({ from, allowed, target }))
    .map((target) => `${file.path} imports ${target}`);
}

function mayImport(i: { from: string; allowed: readonly string[]; target: string }): boolean {
  const to = folderOf(i.target) ?? '';
  if (to === i.from || i.allowed.includes('*') || i.target === everybodys) return true;
  if (open.has(i.target)) return i.from.startsWith(to);
  return i.allowed.some((rule) =>
    rule.endsWith('/*') ? to.startsWith(rule.slice(0, -1)) : rule === to,
  );
}

function importsOf(file: SourceFile): readonly string[] {
  const text = file.lines.join('\n');
  const found = text.matchAll(
    /^(?:import|export)\b[^;'"]*?\bfrom\s+'([^']+)'|import\('([^']+)'\)|^import '([^']+)'/gm,
  );
  return [...found].flatMap((m) => [m[1] ?? m[2] ?? m[3] ?? []].flat());
}
