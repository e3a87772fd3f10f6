import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { runProgram } from '../support/run-program.ts';

/** A checkout of which only the outlines are there; its Node says what it was to run. */
let checkout: string;
beforeEach(() => {
  checkout = mkdtempSync(join(tmpdir(), 'orc-checkout-'));
  const root = join(import.meta.dirname, '../..');
  for (const path of ['orc', 'deploy/node-of-checkout.sh'])
    cpSync(join(root, path), join(checkout, path));
  const folders = ['api', 'base', 'agent/pods', 'cli', 'controller', 'dev', 'native', 'build'];
  for (const folder of folders) mkdirSync(join(checkout, folder), { recursive: true });
  const node = join(checkout, `node_modules/node-linux-${process.arch}/bin/node`);
  mkdirSync(join(node, '..'), { recursive: true });
  writeFileSync(node, '#!/bin/sh\necho "$@"\n');
  chmodSync(node, 0o755);
  for (const path of [...sources, 'build/orc.js']) writeFileSync(join(checkout, path), '');
  for (const path of [...folders, 'agent', ...sources]) setAge(path, 60);
});
afterEach(() => rmSync(checkout, { recursive: true }));

const sources = [
  'orc.ts',
  'programs.ts',
  'package.json',
  'native/binary.ts',
  'agent/pods/pod-plan.ts',
];

function setAge(path: string, seconds: number): void {
  const at = performance.timeOrigin / 1000 - seconds;
  utimesSync(join(checkout, path), at, at);
}

async function programRun(): Promise<string> {
  const { out } = await runProgram(join(checkout, 'orc'), ['get', 'pods']);
  return out.trim().replace(/^.* (\S+) get pods$/, '$1');
}

it('runs the bundle when nothing is newer', async () => {
  expect(await programRun()).toBe(join(checkout, 'build/orc.js'));
});

it.each(sources)('runs the sources when %s is newer than the bundle', async (path) => {
  setAge(path, -60);
  expect(await programRun()).toBe(join(checkout, 'orc.ts'));
});

it('runs the sources when one of them has gone since', async () => {
  rmSync(join(checkout, 'agent/pods/pod-plan.ts'));
  setAge('build/orc.js', 30);
  expect(await programRun()).toBe(join(checkout, 'orc.ts'));
});

it('runs the sources when there is no bundle', async () => {
  rmSync(join(checkout, 'build/orc.js'));
  expect(await programRun()).toBe(join(checkout, 'orc.ts'));
});
