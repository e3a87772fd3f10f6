/** Behind test/run: every project in turn, or those that are named, the leak check, and the counts. */
import { rm } from 'node:fs/promises';
import { stripVTControlCharacters } from 'node:util';
import { startVitest, type TestCase, type TestModule, type Vitest } from 'vitest/node';
import { vitestCacheDir } from '../../vitest.config.ts';
import { lastingLeaks, observeMachine } from './leaks.ts';
import { runProgram } from './run-program.ts';

interface Tally {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  /** One line for each test that failed or was skipped, with the reason. */
  readonly remarks: readonly string[];
}

interface Part {
  readonly project: string;
  /** What clusters keep their objects in: see storeFlags. The embedded one unless said otherwise. */
  readonly store?: 'etcd' | 'etcd3';
  /** All of the project's, or those whose path contains one of these. */
  readonly files?: readonly string[];
}

/** Whole clusters on etcd where the store matters most; by hand ORC_E2E_STORE=etcd runs all of them there. */
const parts: readonly Part[] = [
  ...'tidy unit contract integration conformance linux sanitised e2e alone'
    .split(' ')
    .map((project) => ({ project })),
  { project: 'e2e', store: 'etcd', files: ['e2e/rollout', 'e2e/failures'] },
  { project: 'e2e', store: 'etcd3', files: ['e2e/rollout'] },
];

/** @param names projects that run only when they are named are among these: "hosts" */
async function main(names: readonly string[]): Promise<number> {
  const before = await observeMachine();
  const tallies: Tally[] = [];
  const chosen = names.length > 0 ? names.map((project) => ({ project })) : parts;
  for (const part of chosen) tallies.push(await runPart(part));
  await rm(vitestCacheDir, { recursive: true, force: true });
  tallies.push(leakTally(await lastingLeaks(before)));
  await returnFiles();
  const total = tallies.reduce(add);
  for (const remark of total.remarks) console.log(remark);
  console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
  return total.failed === 0 ? 0 : 1;
}

async function runPart({ project, store, files = [] }: Part): Promise<Tally> {
  const name = store === undefined ? project : `${project} on ${store}`;
  if (store !== undefined) process.env.ORC_E2E_STORE = store;
  try {
    console.log(`--- ${name}`);
    const options = { project, watch: false, reporters: ['default'] };
    const vitest = await startVitest('test', [...files], options);
    const tally = tallyOf(name, vitest);
    await vitest.close();
    return tally;
  } catch (error) {
    return failure(`${name}: vitest ended with ${String(error)}`);
  }
}

/** A file that could not be run, and an error outside of any test, count as a failure each. */
function tallyOf(name: string, { state }: Vitest): Tally {
  const modules = state.getTestModules();
  if (modules.length === 0) return failure(`${name}: there are no tests`);
  const strays = state.getUnhandledErrors().map((error) => failure(`${name}: ${String(error)}`));
  return [...modules.map(moduleTally), ...strays].reduce(add);
}

function moduleTally(module: TestModule): Tally {
  const tests = [...module.children.allTests()];
  const of = (state: string) => tests.filter((test) => test.result().state === state);
  const failed = of('failed');
  const skipped = tests.filter((test) => !['passed', 'failed'].includes(test.result().state));
  const tally: Tally = {
    passed: of('passed').length,
    failed: failed.length,
    skipped: skipped.length,
    remarks: [
      ...failed.map(
        (test) => `FAILED  ${module.relativeModuleId}: ${test.fullName}: ${whyFailed(test)}`,
      ),
      ...skipped.map((test) => {
        const result = test.result();
        const why = ('note' in result && result.note) || 'no reason given';
        return `SKIPPED ${module.relativeModuleId}: ${test.fullName}: ${why}`;
      }),
    ],
  };
  if (module.state() !== 'failed' || failed.length > 0) return tally;
  const [error] = module.errors();
  const why = error?.message.split('\n')[0] ?? 'a hook failed';
  return add(tally, failure(`${module.relativeModuleId}: ${why}`));
}

/** What it expected and what came, on one line: the counts' reader may see nothing else. */
function whyFailed(test: TestCase): string {
  const [error] = test.result().errors ?? [];
  const whole = [error?.message ?? 'no reason given', error?.diff ?? ''].join('\n');
  return stripVTControlCharacters(whole).replaceAll(/\s+/g, ' ').trim().slice(0, 1000);
}

function leakTally(leaks: readonly string[]): Tally {
  if (leaks.length === 0) return { passed: 1, failed: 0, skipped: 0, remarks: [] };
  return failure(['the tests left on this machine:', ...leaks].join('\n          '));
}

const failure = (why: string): Tally => ({
  passed: 0,
  failed: 1,
  skipped: 0,
  remarks: [`FAILED  ${why}`],
});

const add = (a: Tally, b: Tally): Tally => ({
  passed: a.passed + b.passed,
  failed: a.failed + b.failed,
  skipped: a.skipped + b.skipped,
  remarks: [...a.remarks, ...b.remarks],
});

/** Under sudo, what was made in the checkout goes to whoever called it. */
async function returnFiles(): Promise<void> {
  const { SUDO_UID, SUDO_GID } = process.env;
  if (!SUDO_UID || !SUDO_GID) return;
  const owner = ['-exec', 'chown', '-h', `${SUDO_UID}:${SUDO_GID}`, '{}', '+'];
  const { code, err } = await runProgram('find', ['.', '-xdev', '-uid', '0', ...owner]);
  if (code !== 0) throw new Error(`giving the checkout's files back: ${err}`);
}

process.exit(await main(process.argv.slice(2)));
