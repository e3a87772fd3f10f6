import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  compareQuantities,
  formatQuantity,
  milliOf,
  parseQuantity,
  quantityOf,
  wholeOf,
} from '../../../api/quantity.ts';

describe('the canonical form of a quantity', () => {
  it.each([
    ['0.5', '500m'],
    ['1', '1'],
    [4, '4'],
    [0.25, '250m'],
    ['1000m', '1'],
    ['1500m', '1500m'],
    ['2000', '2k'],
    ['1024Mi', '1Gi'],
    ['1.5Gi', '1536Mi'],
    ['0.5Ki', '512'],
    ['0.1Ki', '102400m'],
    ['100M', '100M'],
    ['1e3', '1e3'],
    ['12e6', '12e6'],
    ['1E', '1E'],
    ['.5', '500m'],
    ['5.', '5'],
    ['-1500m', '-1500m'],
    ['-1Gi', '-1Gi'],
    ['+3', '3'],
    ['0Gi', '0'],
    ['0.0000000001', '1n'],
  ])('of %j is %s', (text, canonical) => {
    expect(formatQuantity(quantityOf(text))).toBe(canonical);
  });

  it('says the same again when read again', () => {
    const suffix = fc.constantFrom('', 'n', 'u', 'm', 'k', 'M', 'G', 'Ki', 'Mi', 'Gi', 'e3', 'e-3');
    fc.assert(
      fc.property(fc.integer({ min: -99_999, max: 99_999 }), suffix, (number, unit) => {
        const quantity = quantityOf(`${number}${unit}`);
        expect(quantityOf(formatQuantity(quantity)).nano).toBe(quantity.nano);
      }),
    );
  });
});

it.each(['', 'x', '1x', '1 Gi', '1GI', '--1', '1e', '1..2', '.', 'm', '1e999', '0x10'])(
  'refuses %j',
  (text) => {
    expect(parseQuantity(text)).toBeUndefined();
  },
);

it('refuses what would take long to read, and reads again whatever it accepts', () => {
  for (const digits of ['9'.repeat(61), `0.${'1'.repeat(61)}`, `${'9'.repeat(31)}`, '2e30'])
    expect(parseQuantity(digits)).toBeUndefined();
  const largest = quantityOf(`${'9'.repeat(30)}.${'9'.repeat(60)}`);
  expect(quantityOf(formatQuantity(largest))).toEqual(largest);
  const finest = quantityOf(`${'9'.repeat(29)}.${'1'.repeat(9)}`);
  expect(quantityOf(formatQuantity(finest))).toEqual(finest);
});

it('compares by size, not by text', () => {
  expect([
    compareQuantities('1000m', '1'),
    compareQuantities('1Gi', '1G'),
    compareQuantities('99m', '0.1'),
  ]).toEqual([0, 1, -1]);
});

it('rounds up to what the kernel counts in', () => {
  expect([milliOf('0.0001'), milliOf('1.5'), wholeOf('1Ki'), wholeOf('1500m')]).toEqual([
    1, 1500, 1024, 2,
  ]);
});
