import { describe, expect, it } from 'vitest';
import { checkSimpleJsonPath, formatValue, parseJsonPath } from '../../../api/json-path.ts';
import { UsageError } from '../../../base/flags.ts';

const object = {
  metadata: { labels: { 'a.b/c': 'x' } },
  rules: [
    { host: 'h1', port: 1 },
    { host: 'h2', port: 2 },
  ],
  status: { conditions: [{ type: 'Ready', status: 'True', 'a-b': { c: 'z' } }] },
};

describe('a JSONPath alone', () => {
  it('needs no braces and no dot', () => {
    for (const path of ['{.rules[*].port}', '.rules[*].port', 'rules[*].port'])
      expect(parseJsonPath(path)(object)).toEqual([1, 2]);
    expect(() => parseJsonPath('{.a} {.b}')).toThrow(UsageError);
  });
});

describe('the JSONPath of a column', () => {
  const finds = (path: string, ...found: readonly unknown[]) =>
    it(`${path} finds ${JSON.stringify(found)}`, () => {
      expect(checkSimpleJsonPath(path)).toBeUndefined();
      expect(parseJsonPath(path)(object)).toEqual(found);
    });
  finds('.rules[0].host', 'h1');
  finds('.rules[-1].host', 'h2');
  finds('.rules[*].host', 'h1', 'h2');
  finds('.rules[?(@.port>1)].host', 'h2');
  finds(".metadata.labels['a\\.b/c']", 'x');
  finds(".metadata.labels['a.b/c']");
  finds('.metadata.labels.a\\.b/c', 'x');
  finds('.status.conditions[?(@.type=="Ready")].status', 'True');
  finds(".status.conditions[?(@.type == 'Ready')].status", 'True');
  finds('.status.conditions[?(@.a-b.c=="z")].type', 'Ready');
  finds('.status.conditions[?(@.type=="Other")].status');
  finds('.toString');

  for (const path of ['', 'a', '..a', '.a..b', '.a[0,0]', '{.a}'])
    it(`is not ${JSON.stringify(path)}`, () => expect(checkSimpleJsonPath(path)).toMatch(/^must/));
  for (const path of ['.a[', '.a[b]', '.a b', '.a[?(@.b|1)]'])
    it(`is not ${JSON.stringify(path)}, and the error says where`, () =>
      expect(checkSimpleJsonPath(path)).toMatch(/^must be a JSONPath: .* at character \d+/));
});

it('shows maps with their keys in order, as kubectl does', () => {
  expect(formatValue({ b: 1, a: [{ d: 2, c: 3 }] })).toBe('{"a":[{"c":3,"d":2}],"b":1}');
});
