import { describe, expect, it } from 'vitest';
import {
  formatFlags,
  list,
  listOf,
  on,
  oneOf,
  parseFlags,
  text,
  UsageError,
} from '../../../base/flags.ts';

const flags = {
  'data-dir': text('DIR', 'where it is kept', '/var'),
  name: text('NAME', 'who it is').required(),
  role: oneOf('ROLE', ['agent', 'controller', 'both'], 'both').short('r'),
  format: oneOf('FORMAT', ['text', 'json']),
  'max-age': text('HOURS', 'when it goes').whole(1, 9),
  count: text('N', 'how many', '3').whole(),
  label: listOf('KEY=VALUE', 'of it', (pair) => pair.split('=')),
  host: list('HOST', 'where else'),
  'dry-run': on('change nothing').short('n'),
};

const parse = (line: string) => parseFlags(line.split(' ').filter(Boolean), flags);

describe('flags', () => {
  const usual = {
    ...{ dataDir: '/var', name: 'a', role: 'both', format: undefined, maxAge: undefined },
    ...{ count: 3, label: [], host: [], dryRun: false },
  };
  it.each([
    ['--name a', {}],
    ['--name a -n -r agent', { dryRun: true, role: 'agent' }],
    ['--name a --data-dir=/x --max-age 9 --count 0', { dataDir: '/x', maxAge: 9, count: 0 }],
    ['--name a --format json --host b --host c', { format: 'json', host: ['b', 'c'] }],
    ['--name a --label k=v', { label: [['k', 'v']] }],
  ])('%s is read with the types that are declared', (line, expected) => {
    expect(parse(line)).toEqual({ ...usual, ...expected });
  });

  it.each([
    ['', '--name is required: who it is'],
    ['--name a --role boss', '--role must be one of agent, controller, both, not boss'],
    ['--name a --max-age 10', '--max-age must be a whole number from 1 to 9, not 10'],
    ['--name a --count 1.5', '--count must be a whole number, not 1.5'],
    ['--name a b', '"b" belongs to no flag; --help shows what there is'],
    ['--nmae a', "Unknown option '--nmae'; --help shows what there is"],
  ])('"%s" is refused, and why is said', (line, why) => {
    expect(() => parse(line)).toThrow(new UsageError(why));
  });

  it('are listed with their letters, values and fallbacks', () => {
    const { role, 'dry-run': dryRun } = flags;
    expect(formatFlags({ role, 'dry-run': dryRun }).split('\n')).toEqual([
      '  -r, --role ROLE              agent, controller or both (default both)',
      '  -n, --dry-run                change nothing',
    ]);
  });
});
