import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { root } from './source-tree.ts';

it('native/generated/binding.ts is what `make generate` makes of orc.h', () => {
  const native = `${root}native/`;
  const generated = execFileSync('awk', ['-f', `${native}binding.awk`, `${native}orc.h`]);
  expect(readFileSync(`${native}generated/binding.ts`, 'utf8')).toBe(generated.toString());
});
