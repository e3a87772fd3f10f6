/**
 * `oci.ts SUITE_DIRECTORY NAME=RUNTIME…`: runs an independent suite of OCI runtimes against each of them, in a mount namespace of
 * its own, and prints test by test where they differ, and the sums. SUITE_DIRECTORY is a checkout, built as its own papers say, of
 * containers/crun (python3; INIT: its tests/init.c, compiled), opencontainers/runtime-tools (validation/…/*.t) or
 * opencontainers/runc (bats; its two images and its test programs). As root, by hand; docs/oci-command.md has the results.
 */
import { spawn } from 'node:child_process';
import { existsSync, globSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { hideUnified } from '../support/other-runtime.ts';

type Result = 'pass' | 'FAIL' | 'skip' | '-';

interface Suite {
  /** What is run as one program. */
  readonly files: readonly string[];
  readonly cwd: string;
  readonly command: (file: string) => readonly string[];
  readonly env: (runtime: string) => NodeJS.ProcessEnv;
  /** Of a file that is one test: whether all of its lines must be good. */
  readonly byFile?: boolean;
}

const LIMIT_MS = 150_000;
const [directory = '', ...named] = process.argv.slice(2);
const runtimes = named.map((each): readonly [string, string] => {
  const [name = '', path = ''] = each.split('=');
  return [name, path];
});
await main();

async function main(): Promise<void> {
  const suite = suiteIn(directory);
  const all = new Map<string, Map<string, Result>>();
  for (const [name, path] of runtimes) all.set(name, await runAll(suite, path));
  const tests = new Set([...all.values()].flatMap((results) => [...results.keys()]));
  const names = [...all.keys()];
  console.log(`| test | ${names.join(' | ')} |\n|---|${names.map(() => '---|').join('')}`);
  for (const test of tests) {
    const row = names.map((name) => all.get(name)!.get(test) ?? '-');
    if (new Set(row).size > 1 || row.includes('FAIL'))
      console.log(`| ${test} | ${row.join(' | ')} |`);
  }
  for (const wanted of ['pass', 'FAIL', 'skip'] as const) {
    const sums = names.map(
      (name) => [...all.get(name)!.values()].filter((r) => r === wanted).length,
    );
    console.log(`| **${wanted}** | ${sums.join(' | ')} |`);
  }
}

function suiteIn(root: string): Suite {
  const found = (pattern: string) => globSync(pattern, { cwd: root }).toSorted();
  if (existsSync(join(root, 'tests/tests_utils.py')))
    return {
      cwd: join(root, 'tests'),
      files: found('tests/test_*.py').map((file) => basename(file)),
      command: (file) => ['python3', file],
      env: (runtime) => ({ OCI_RUNTIME: runtime, PYTHONDONTWRITEBYTECODE: '1' }),
    };
  if (existsSync(join(root, 'tests/integration')))
    return {
      cwd: join(root, 'tests/integration'),
      // They want the internet, another user's keys, or what no other runtime says.
      files: found('tests/integration/*.bats')
        .map((file) => basename(file))
        .filter((file) => !/^(spec|checkpoint|mounts_sshfs|selinux|help)\.bats$/.test(file)),
      command: (file) => ['script', '-qec', `bats -t ${file}`, '/dev/null'],
      env: (runtime) => ({ RUNC: runtime }),
    };
  return {
    cwd: root,
    files: found('validation/*/*.t'),
    command: (file) => [`./${file}`],
    env: (runtime) => ({ RUNTIME: runtime }),
    byFile: true,
  };
}

async function runAll(suite: Suite, runtime: string): Promise<Map<string, Result>> {
  const results = new Map<string, Result>();
  for (const file of suite.files) {
    const output = await runFile(suite, file, runtime);
    const found = suite.byFile ? [[file, wholeResult(output)] as const] : resultsIn(output);
    for (const [test, result] of found)
      results.set(suite.byFile ? basename(file) : `${file} ${test}`, result);
  }
  return results;
}

/** Whatever it mounts goes with it; what runs longer than its time doesn't. */
async function runFile(suite: Suite, file: string, runtime: string): Promise<string> {
  const scratch = mkdtempSync(join(tmpdir(), 'orc-conformance-'));
  const within = [
    '--mount',
    '--propagation',
    'private',
    'sh',
    '-c',
    `${hideUnified}; exec "$@"`,
    'sh',
  ];
  const child = spawn('unshare', [...within, ...suite.command(file)], {
    cwd: suite.cwd,
    stdio: ['ignore', 'pipe', 'ignore'],
    env: { ...process.env, TMPDIR: scratch, ...suite.env(runtime) },
    detached: true,
  });
  const timer = setTimeout(() => process.kill(-child.pid!, 'SIGKILL'), LIMIT_MS);
  const output = await text(child.stdout);
  clearTimeout(timer);
  rmSync(scratch, { recursive: true, force: true });
  return output;
}

/** Test Anything Protocol: "ok 3 - name # SKIP why". */
function resultsIn(output: string): readonly (readonly [string, Result])[] {
  return output.split(/\r?\n/).flatMap((line) => {
    const [, not, name = '', skip] =
      /^(not )?ok \d+ (?:- )?(.*?)(?:\s*#\s*(skip)?.*)?$/i.exec(line) ?? [];
    if (name === '') return [];
    return [[name, skip ? 'skip' : not ? 'FAIL' : 'pass'] as const];
  });
}

function wholeResult(output: string): Result {
  const isComplete = /^1\.\.\d+$/m.test(output) && !/^not ok/m.test(output);
  return isComplete ? 'pass' : 'FAIL';
}
