import { spawnSync } from 'node:child_process';
import { expect, it } from 'vitest';
import { root } from './source-tree.ts';

const checkers: readonly (readonly [string, ...string[]])[] = [
  ['tsc', '--noEmit'],
  ['biome', 'check', '.', '--diagnostic-level=error'],
  ['oxlint', '--type-aware', '--deny-warnings'],
  ['knip'],
];

for (const [name, ...args] of checkers) {
  it(`passes ${name}`, () => {
    const run = spawnSync(`${root}node_modules/.bin/${name}`, args, {
      cwd: root,
      encoding: 'utf8',
    });
    expect(`${run.stdout}${run.stderr}`.replace(/^npm warn.*\n/gm, ''), name).toSatisfy(
      () => run.status === 0,
    );
  });
}
