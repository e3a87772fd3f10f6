import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { defineConfig } from 'vitest/config';
import { rounds } from './test/support/rounds.ts';

/** Not in node_modules: tests also run as root, and the checkout is its owner's. */
export const vitestCacheDir = join(tmpdir(), `vitest-of-orc-${process.getuid?.()}`);

/** One project per kind of test: what needs root, a kernel or a cluster is named by its folder. */
const project = (name: string, testTimeoutMs: number, fileParallelism: boolean) => ({
  test: {
    name,
    include: [`test/${name}/**/*.test.ts`],
    testTimeout: rounds(testTimeoutMs),
    hookTimeout: Math.max(testTimeoutMs, 60_000),
    fileParallelism,
    pool: 'forks' as const,
  },
});

/** Whole clusters, two at a time: mostly they wait. Those that look at all that is on the machine are in a project of their own. */
const clusters = ({ test }: ReturnType<typeof project>) => [
  { test: { ...test, exclude: ['test/e2e/alone/**'], maxWorkers: 2 } },
  { test: { ...test, name: 'alone', include: ['test/e2e/alone/**'], fileParallelism: false } },
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
      project('tidy', 60_000, true),
      project('unit', 5_000, true),
      project('contract', 20_000, true),
      project('integration', 30_000, true),
      project('conformance', 60_000, true),
      project('linux', 60_000, false),
      sanitised(project('sanitised', 60_000, false)),
      ...clusters(project('e2e', 180_000, true)),
      onMachines(project('hosts', 600_000, false)),
      project('soak', 300_000, false),
    ],
  },
});
