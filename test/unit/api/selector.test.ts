import { describe, expect, it } from 'vitest';
import {
  formatLabelSelector,
  matchesLabels,
  matchesSelector,
  parseFieldSelector,
  parseLabelSelector,
  SelectorError,
} from '../../../api/selector.ts';

describe('a label selector', () => {
  const labels = { app: 'web', tier: 'front', 'example.com/size': '3' };
  it.each([
    ['', true],
    ['app', true],
    ['toString', false],
    ['!constructor', true],
    ['!app', false],
    ['!old', true],
    ['app=web', true],
    ['app==web', true],
    ['app = web , tier=front', true],
    ['app!=web', false],
    ['other!=web', true],
    ['other=', false],
    ['app in (web,api)', true],
    ['app in (api)', false],
    ['app notin (web)', false],
    ['other notin (web)', true],
    ['app in (web),tier notin (back),!old', true],
    ['example.com/size>2', true],
    ['example.com/size<2', false],
  ])('%j', (text, expected) => {
    expect(matchesLabels(parseLabelSelector(text), labels)).toBe(expected);
  });

  it.each(['app in web', 'app=web,', ',app', 'app web', '=web', 'app in (a b)', 'size>x', '-a=b'])(
    'refuses %j',
    (text) => {
      expect(() => parseLabelSelector(text)).toThrow(SelectorError);
    },
  );
});

describe('the object form', () => {
  it('matches everything when empty, nothing when absent', () => {
    expect([matchesSelector({}, {}), matchesSelector(undefined, {})]).toEqual([true, false]);
  });

  it('needs labels and expressions to hold', () => {
    const selector = {
      matchLabels: { app: 'web' },
      matchExpressions: [
        { key: 'tier', operator: 'In', values: ['front', 'back'] },
        { key: 'old', operator: 'DoesNotExist' },
      ],
    } as const;
    expect([
      matchesSelector(selector, { app: 'web', tier: 'back' }),
      matchesSelector(selector, { app: 'web', tier: 'back', old: '' }),
      matchesSelector(selector, { app: 'web' }),
    ]).toEqual([true, false, false]);
    expect(formatLabelSelector(selector)).toBe('app=web,tier in (front,back),!old');
  });
});

describe('a field selector', () => {
  it('is a list of equalities and inequalities', () => {
    expect(parseFieldSelector('status.phase!=Running, spec.nodeName=a==,metadata.name==x')).toEqual(
      [
        { path: 'status.phase', equal: false, value: 'Running' },
        { path: 'spec.nodeName', equal: true, value: 'a==' },
        { path: 'metadata.name', equal: true, value: 'x' },
      ],
    );
  });

  it('may be empty', () => {
    expect(parseFieldSelector('')).toEqual([]);
  });

  it('refuses what has no operator', () => {
    expect(() => parseFieldSelector('status.phase')).toThrow(SelectorError);
  });
});
