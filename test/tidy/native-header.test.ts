import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import * as binding from '../../native/binding.ts';
import { root } from './source-tree.ts';

const header = readFileSync(`${root}native/orc.h`, 'utf8');

/** Names without their prefix and numbers of a C enum, in order. */
function membersOf(name: string): [string, number][] {
  const body = new RegExp(`enum ${name} \\{([^}]*)\\}`).exec(header)?.[1] ?? '';
  const members = body.matchAll(/^\s+[A-Z]+_(\w+) = (\d+),/gm);
  return [...members].map(([, member, number]) => [member!, Number(number)]);
}

const pairs = [
  ['orc_limits', binding.limits],
  ['orc_frame_type', binding.frameType],
  ['orc_op', binding.opKind],
  ['orc_flag', binding.recordFlag],
  ['orc_space', binding.space],
  ['orc_setting', binding.setting],
] as const;

describe('orc.h and binding.ts', () => {
  for (const [name, object] of pairs) {
    it(`agree on ${name}, in the same order`, () => {
      expect(membersOf(name)).toEqual(Object.entries(object));
    });
  }

  it('agree on the sizes of the structures', () => {
    expect(Object.entries(binding.sizeOf).map(([name]) => [name, structSize(name)])).toEqual(
      Object.entries(binding.sizeOf),
    );
  });
});

const fieldSize: Readonly<Record<string, number>> = {
  char: 1,
  uint16_t: 2,
  uint32_t: 4,
  int32_t: 4,
  uint64_t: 8,
  'struct orc_text': 8,
};

/** Fields in order, each aligned to its own size (a text to 4), as C lays them out. */
function structSize(name: string): number {
  const body = new RegExp(`struct orc_${name} \\{([^}]*)\\}`).exec(header)?.[1] ?? '';
  const fields = body.matchAll(/^\s+(char|u?int\d+_t|struct orc_text) \w+(?:\[([\w+ ]+)\])?;/gm);
  let size = 0;
  for (const [, type, count] of fields) {
    const align = type === 'struct orc_text' ? 4 : fieldSize[type!]!;
    size = Math.ceil(size / align) * align + fieldSize[type!]! * elements(count);
  }
  return size;
}

function elements(count: string | undefined): number {
  const named = { ORC_STAGE_SIZE: binding.limits.STAGE_SIZE } as Record<string, number>;
  if (count === undefined) return 1;
  if (count === 'ORC_MAX_NAME + 1') return binding.limits.MAX_NAME + 1;
  return named[count] ?? Number(count);
}
