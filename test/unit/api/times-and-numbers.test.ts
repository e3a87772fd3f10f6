import { describe, expect, it } from 'vitest';
import { Deployment } from '../../../api/deployment.ts';
import { Lease } from '../../../api/lease.ts';
import { Node } from '../../../api/node.ts';
import { errorsOf } from '../../support/parse.ts';

/** One object that Go's clients can't read spoils every list that it is in. */
describe('what Go cannot read is refused', () => {
  it.each<[string, boolean]>([
    ['2026-01-31T23:59:59Z', true],
    ['2026-01-31T23:59:59.5+02:00', true],
    ['2024-02-29T00:00:00Z', true],
    ['2026-02-29T00:00:00Z', false],
    ['2026-04-31T00:00:00Z', false],
    ['2026-01-01T24:00:00Z', false],
    ['2026-01-01T00:00:00', false],
  ])('a time: %s', (timeAdded, isRead) => {
    const taints = [{ key: 'a', effect: 'NoSchedule', timeAdded }];
    const errors = errorsOf(Node, { metadata: { name: 'n' }, spec: { taints } }, { namespace: '' });
    expect(errors.length === 0).toBe(isRead);
  });

  it.each<[string, boolean]>([
    ['2026-01-01T00:00:00.123456Z', true],
    ['2026-01-01T00:00:00.123456+02:00', true],
    ['2026-01-01T00:00:00Z', false],
    ['2026-01-01T00:00:00.123Z', false],
    ['2026-01-01T00:00:00.123456789Z', false],
  ])('a MicroTime: %s', (renewTime, isRead) => {
    const errors = errorsOf(Lease, { metadata: { name: 'l' }, spec: { renewTime } });
    expect(errors).toEqual(isRead ? [] : [expect.stringContaining('2006-01-02T15:04:05.000000Z')]);
  });

  it.each<[number, boolean]>([
    [2 ** 31 - 1, true],
    [2 ** 31, false],
    [1.5, false],
  ])('a number or text: %d', (maxSurge, isRead) => {
    const template = {
      metadata: { labels: { a: 'b' } },
      spec: { containers: [{ name: 'a', image: 'a' }] },
    };
    const strategy = { rollingUpdate: { maxSurge } };
    const spec = { selector: { matchLabels: { a: 'b' } }, template, strategy };
    const errors = errorsOf(Deployment, { metadata: { name: 'd' }, spec });
    expect(errors.length === 0).toBe(isRead);
  });
});
