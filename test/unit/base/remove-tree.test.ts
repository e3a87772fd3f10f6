import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { removeDirectory } from '../../../agent/runtime/remove-directory.ts';
import { removeTree } from '../../../base/remove-tree.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'orc-tree-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

/** As a program in a container can: by relative names, so no path is too long. */
function makeDeep(name: string, levels: number): void {
  const script = `i=0; while [ $i -lt ${levels} ]; do mkdir ${name}; cd -P ${name}; i=$((i+1)); done`;
  execFileSync('sh', ['-c', `cd ${dir} && { ${script}; }`]);
}

it.each([
  ['removeTree', removeTree],
  ['removeDirectory', removeDirectory],
])('%s removes what is deeper than a path can say, under names of any bytes', async (_, remove) => {
  makeDeep('d'.repeat(200), 60);
  mkdirSync(join(dir, 'caf'));
  execFileSync('sh', ['-c', `touch "$(printf 'caf/\\351')" "$(printf '\\377')"`], { cwd: dir });
  symlinkSync('/etc', join(dir, 'link'));
  await remove(dir);
  expect(existsSync(dir)).toBe(false);
  expect(readdirSync('/etc').length).toBeGreaterThan(0);
});

it('is content with nothing', () => removeTree(join(dir, 'missing')));
