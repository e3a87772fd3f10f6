import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { defineConfig } from 'vitest/config';
import { rounds } from './test/support/rounds.ts';

/** Not in node_modules: tests also run as root, and the checkout is its owner's. */
export const vitestCacheDir = join(tmpdir(), `vitest-of-orc-${process.getuid?.()}`);

/**
 * One project per kind of test: what needs root, a kernel or a cluster is named by its folder. Mostly they wait, so two files
 * run at a time, but for those that share what a machine has one of.
 */
const project = (name: string, testTimeoutMs: number, maxWorkers: 1 | 2) => ({
  test: {
    name,
    include: [`test/${name}/**/*.test.ts`],
    testTimeout: rounds(testTimeoutMs),
    hookTimeout: Math.max(testTimeoutMs, 60_000),
    maxWorkers,
    pool: 'forks' as const,
  },
});

/** Whole clusters. Those that look at all that is on the machine are in a project of their own. */
const clusters = ({ test }: ReturnType<typeof project>) => [
  { test: { ...test, exclude: ['test/e2e/alone/**'] } },
  { test: { ...test, name: 'alone', include: ['test/e2e/alone/**'], maxWorkers: 1 } },
];

/** Three virtual machines, booted once. */
const onMachines = ({ test }: ReturnType<typeof project>) => ({
  test: { ...test, globalSetup: 'test/support/hosts-setup.ts' },
});

/** What drives the C program directly, once more with one that has the sanitizers. */
const sanitised = ({ test }: ReturnType<typeof project>) => ({
  test: {
    ...test,
    include: [
      'test/linux/native/{container,escape,exec,lifetime,log,operations,placement}.test.ts',
      'test/linux/images/{unpack-layer,hostile-layers,unpack-fuzz}.test.ts',
    ],
    setupFiles: 'test/support/sanitised-setup.ts',
  },
});

export default defineConfig({
  cacheDir: vitestCacheDir,
  test: {
    projects: [
      project('tidy', 60_000, 2),
      project('unit', 5_000, 2),
      project('contract', 20_000, 2),
      project('integration', 30_000, 2),
      project('conformance', 60_000, 2),
      project('linux', 60_000, 1),
      sanitised(project('sanitised', 60_000, 1)),
      ...clusters(project('e2e', 180_000, 2)),
      onMachines(project('hosts', 600_000, 1)),
      project('soak', 300_000, 1),
    ],
  },
});
