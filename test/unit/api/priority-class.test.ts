import { describe, expect, it } from 'vitest';
import { PriorityClass, systemPriorityClasses } from '../../../api/priority-class.ts';
import { errorsOf, stored, updateErrorsOf } from '../../support/parse.ts';

const named = (name: string, more: object = {}) => ({ metadata: { name }, ...more });

describe('a PriorityClass', () => {
  it.each<readonly [string, object]>([
    ['of its own', named('high', { value: 1_000_000_000 })],
    ['below nothing', named('low', { value: -2_147_483_648, preemptionPolicy: 'Never' })],
    ...systemPriorityClasses.map(({ name, value }) => [name, named(name, { value })] as const),
  ])('is taken: %s', (_, manifest) => {
    expect(errorsOf(PriorityClass, manifest)).toEqual([]);
  });

  const reserved =
    "metadata.name: Forbidden: priority class names with 'system-' prefix are reserved for system use only. error:";
  it.each([
    [
      'too high',
      named('x', { value: 1_000_000_001 }),
      'value: Forbidden: maximum allowed value of a user defined priority is 1000000000',
    ],
    [
      "the system's name",
      named('system-mine', { value: 1 }),
      `${reserved} system-mine is not a known system priority class`,
    ],
    [
      "another value of the system's",
      named('system-node-critical', { value: 1 }),
      `${reserved} value of system-node-critical PriorityClass must be 2000001000`,
    ],
    [
      "the system's as the default",
      named('system-node-critical', { value: 2_000_001_000, globalDefault: true }),
      `${reserved} globalDefault of system-node-critical PriorityClass must be false`,
    ],
  ])('is refused: %s', (_, manifest, error) => {
    expect(errorsOf(PriorityClass, manifest)).toEqual([error]);
  });

  it('keeps its value and its policy', () => {
    const next = named('x', { value: 2, preemptionPolicy: 'Never' });
    expect(updateErrorsOf(PriorityClass, next, stored(PriorityClass, named('x')))).toEqual([
      'value: Forbidden: may not be changed in an update.',
      'preemptionPolicy: Invalid value: "Never": field is immutable',
    ]);
  });
});
