import { describe, expect, it } from 'vitest';
import { parseBody, parseObjectBody } from '../../../../controller/apiserver/parse-body.ts';

const parse = (text: string, type = '') => parseBody(Buffer.from(text), type);

describe('parseBody', () => {
  it.each([
    ['', '{"a":1}'],
    ['application/json', '{"a":1}'],
    ['application/merge-patch+json', '{"a":1}'],
    ['application/yaml', 'a: 1'],
    ['application/apply-patch+yaml', 'a: 1'],
    ['application/apply-patch+yaml', '{"a":1}'],
  ])('reads %s: %s', (type, text) => {
    expect(parse(text, type)).toEqual({ a: 1 });
  });

  it.each([
    ['application/json', '{', /not valid JSON/],
    ['application/yaml', 'a: [', /not valid YAML/],
    ['application/yaml', 'a: 1\na: 2', /unique/],
    ['application/xml', '<a/>', /unsupported media type "application\/xml"/],
    ['application/vnd.kubernetes.protobuf', 'k8s\0', /not Protobuf/],
  ])('refuses %s: %s', (type, text, why) => {
    expect(() => parse(text, type)).toThrow(why);
  });

  it('wants an object where an object is due', () => {
    expect(() => parseObjectBody(Buffer.from('[]'), '')).toThrow(/must be an object/);
  });
});
