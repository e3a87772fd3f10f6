import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll } from 'vitest';
import { openSqliteStore } from '../../../controller/store/sqlite-store.ts';
import { findKubectls } from '../../support/kubectl.ts';
import { kubectlSuite } from './suite.ts';

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'orc-kubectl-'));
});
afterAll(() => rm(directory, { recursive: true }));

kubectlSuite('kubectl, each version, on SQLite', {
  kubectls: findKubectls(),
  openStore: () => openSqliteStore({ path: join(directory, 'orc.db') }),
});
