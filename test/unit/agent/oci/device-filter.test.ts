import { expect, it } from 'vitest';
import { deviceFilter, deviceLines } from '../../../../agent/oci/device-filter.ts';

type Rules = Parameters<typeof deviceLines>[0];
const lines = (rules: Rules) => deviceLines(rules).map((line) => line.join(' '));

const rows: readonly [string, Rules, readonly string[]][] = [
  ['denies everything without a rule', [], ['devices.deny a']],
  ['allows everything if a rule says so', [{ allow: true, type: 'a' }], ['devices.allow a']],
  [
    'names what is allowed beyond nothing',
    [
      { allow: false, access: 'rwm' },
      { allow: true, type: 'c', major: 10, minor: 229, access: 'wr' },
      { allow: true, type: 'b', major: 8, access: 'm' },
      { allow: true, major: 9, minor: -1 },
    ],
    [
      'devices.deny a',
      'devices.allow c 10:229 rw',
      'devices.allow b 8:* m',
      'devices.allow b 9:* rwm',
      'devices.allow c 9:* rwm',
    ],
  ],
  [
    'names what is denied of everything, and starts anew with a rule for all',
    [
      { allow: true, type: 'c', major: 1, minor: 1 },
      { allow: true },
      { allow: false, type: 'b', major: 254 },
      { allow: true, type: 'b', major: 7 },
    ],
    ['devices.allow a', 'devices.deny b 254:* rwm'],
  ],
  [
    'a denial of something else is none of an exception',
    [
      { allow: true, type: 'c', major: 1, minor: 3, access: 'r' },
      { allow: false, type: 'c', major: 1, minor: 3, access: 'w' },
      { allow: false, type: 'b', major: 1, minor: 3 },
    ],
    ['devices.deny a', 'devices.allow c 1:3 r'],
  ],
];
it.each(rows)('on version 1: %s', (_, rules, expected) => {
  expect(lines(rules)).toEqual(expected);
});

it('refuses on version 1 what the kernel would overlook', () => {
  const rules: Rules = [
    { allow: true, type: 'c', major: 1 },
    { allow: false, type: 'c', minor: 3 },
  ];
  expect(() => lines(rules)).toThrow('linux.resources.devices: no exceptions of exceptions');
  expect(() => deviceFilter(rules)).not.toThrow();
});

it('refuses letters that are no access', () => {
  const rules: Rules = [{ allow: true, access: 'rx' }];
  expect(() => lines(rules)).toThrow('linux.resources.devices: access "rx"');
  expect(() => deviceFilter(rules)).toThrow('access "rx"');
});
