import { execFileSync } from 'node:child_process';
import { globSync } from 'node:fs';
import { dirname } from 'node:path';
import { expect, it } from 'vitest';
import { nativeBinary } from '../../../native/binary.ts';

const readelf = (...args: readonly string[]) =>
  execFileSync('readelf', ['--wide', ...args], { encoding: 'utf8' });

/** Rows of the program headers: type and flags. */
const segments = [
  ...readelf('--segments', nativeBinary).matchAll(/^ {2}(\w+) +0x.* ([RWE ]{3}) 0x/gm),
].map(([, type, flags]) => ({ type, flags: flags?.replaceAll(' ', '') }));
const flagsOf = (type: string) => segments.filter((s) => s.type === type).map((s) => s.flags);
const dynamic = readelf('--dynamic', nativeBinary);

it('is loaded anywhere, and by nobody but the kernel', () => {
  expect(readelf('--file-header', nativeBinary)).toMatch(/Type: +DYN \(Position-Independent/);
  expect(dynamic).toMatch(/FLAGS_1\).* PIE/);
  expect(flagsOf('INTERP')).toEqual([]);
  expect(dynamic).not.toMatch(/\((NEEDED|TEXTREL|RPATH|RUNPATH)\)/);
});

it('has no memory that is both written and executed, its stack included', () => {
  expect(flagsOf('LOAD')).toEqual(['R', 'RE', 'R', 'RW']);
  expect(flagsOf('GNU_STACK')).toEqual(['RW']);
});

it('has its tables of addresses read-only before main', () => {
  expect(flagsOf('GNU_RELRO')).toEqual(['R']);
  expect(dynamic).toMatch(/FLAGS\) +BIND_NOW/);
  expect(dynamic).toMatch(/FLAGS_1\).* NOW/);
});

it('checks its stack and its buffers, and marks where it may be jumped to', () => {
  const objects = globSync(`${dirname(nativeBinary)}/*.o`);
  const symbols = readelf('--symbols', ...objects);
  expect(symbols).toMatch(/UND __stack_chk_fail$/m);
  expect(symbols).toMatch(/UND __snprintf_chk$/m);
  const unmarked = objects.filter(
    (object) => process.arch === 'x64' && !/IBT, SHSTK/.test(readelf('--notes', object)),
  );
  expect(unmarked).toEqual([]);
});
