import { describe, expect, it } from 'vitest';
import { parseBody, parseObjectBody } from '../../../../controller/apiserver/parse-body.ts';

function parse(text: string | Buffer, contentType = '', query = '') {
  const warnings: string[] = [];
  const body = typeof text === 'string' ? Buffer.from(text) : text;
  const call = { body, contentType, query: new URLSearchParams(query) };
  const value = parseBody({ ...call, warn: (warning) => warnings.push(warning) });
  return { value, warnings };
}

describe('parseBody', () => {
  it.each([
    ['', '{"a":1}'],
    ['application/json', '{"a":1}'],
    ['application/merge-patch+json', '{"a":1}'],
    ['application/yaml', 'a: 1'],
    ['application/apply-patch+yaml', 'a: 1'],
    ['application/apply-patch+yaml', '{"a":1}'],
  ])('reads %s: %s', (type, text) => {
    expect(parse(text, type)).toEqual({ value: { a: 1 }, warnings: [] });
  });

  it.each([
    ['application/json', '{', /not valid JSON/],
    ['application/yaml', 'a: [', /not valid YAML/],
    ['application/yaml', 'a: 1\na: 2', /not valid YAML: a is given twice/],
    ['application/yaml', 'a: 1\n---\nb: 2', /several YAML documents/],
    ['application/yaml', 'a: .nan', /\.nan is no number that JSON knows/],
    ['application/json', '{"a":{"b":[{"c":1, "c" : 2}]}}', /a\.b\.c is given twice/],
    ['application/apply-patch+yaml', '{"a":1,"a":1}', /a is given twice/],
    ['application/xml', '<a/>', /unsupported media type "application\/xml"/],
    ['application/vnd.kubernetes.protobuf', '{}', /not valid Protobuf/],
  ])('refuses %s: %s', (type, text, why) => {
    expect(() => parse(text, type)).toThrow(why);
  });

  it('tells a field given twice as strictly as it is asked to', () => {
    const twice = '{"a":1,"a":2}';
    const value = { a: 2 };
    expect(parse(twice, '', 'fieldValidation=Warn')).toEqual({
      ...{ value, warnings: ['a is given twice'] },
    });
    expect(parse(twice, '', 'fieldValidation=Ignore')).toEqual({ value, warnings: [] });
  });

  it('is not misled by text that looks like a key', () => {
    const value = { 'a:': ':', b: '\\":', c: 'x":"y', '': ' : ', d: [':', { a: 1 }] };
    expect(parse(JSON.stringify(value))).toEqual({ value, warnings: [] });
  });

  it('reads no bytes that are not UTF-8, as they would be stored as others', () => {
    expect(() => parse(Buffer.from([0x22, 0xff, 0x22]))).toThrow(/not UTF-8/);
  });

  it.each([
    ['application/json', `${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}`, /deeper than 500/],
    ['application/yaml', `${'{a: '.repeat(10_000)}1${'}'.repeat(10_000)}`, /nested too deep/],
    ['application/yaml', '[ '.repeat(100_000), /nested too deep/],
    ['application/yaml', `a: |\n${' x\n'.repeat(100_000)}`, /262144 characters: send JSON/],
  ])('takes no long time over a hostile %s', { timeout: 10_000 }, (type, text, why) => {
    expect(() => parse(text, type)).toThrow(why);
  });

  it('reads a map of many keys in time that grows with their number', { timeout: 5_000 }, () => {
    const lines = Array.from({ length: 20_000 }, (_, i) => `k${i}: ${i}`);
    expect(parse(lines.join('\n'), 'application/yaml').value).toHaveProperty('k19999', 19_999);
  });

  it('wants an object where an object is due', () => {
    const call = { contentType: '', query: new URLSearchParams(), warn: () => {} };
    expect(() => parseObjectBody({ ...call, body: Buffer.from('[]') })).toThrow(
      /must be an object/,
    );
  });
});
