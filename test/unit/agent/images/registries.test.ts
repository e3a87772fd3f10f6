import { describe, expect, it } from 'vitest';
import { parseRegistries } from '../../../../agent/images/read-registries.ts';
import { parseReference } from '../../../../agent/images/reference.ts';
import { planSources } from '../../../../agent/images/registries.ts';

const mirrors = parseRegistries(
  'r.yaml',
  `mirrors:
  docker.io:
    endpoint: ["https://first:5000", "http://second/v2/hub"]
    rewrite: {"^library/(.*)": "cache/$1", "^": "never/"}
  plain.example:5000: {endpoint: ["http://plain.example:5000"]}
  last.example: {endpoint: ["https://[fd00::1]:5000", "https://last.example/v2"]}
  direct.example: {}
  "*": {endpoint: ["https://all"]}
`,
).mirrors;

const sources = (name: string, of = mirrors) =>
  planSources(parseReference(name), { mirrors: of, insecure: ['insecure:5000'] }).map(
    ({ url, query, reference }) => `${reference.registry} ${url}${query}`,
  );

describe('the sources of an image', () => {
  it.each([
    [
      'nginx:1',
      [
        'first:5000 https://first:5000/v2/cache/nginx?ns=docker.io',
        'second http://second/v2/hub/cache/nginx?ns=docker.io',
        'docker.io https://registry-1.docker.io/v2/library/nginx',
      ],
    ],
    ['plain.example:5000/a/b', ['plain.example:5000 http://plain.example:5000/v2/a/b']],
    [
      'last.example/a',
      [
        '[fd00::1]:5000 https://[fd00::1]:5000/v2/a?ns=last.example',
        'last.example https://last.example/v2/a',
      ],
    ],
    ['direct.example/a', ['direct.example https://direct.example/v2/a']],
    [
      'insecure:5000/a',
      ['all https://all/v2/a?ns=insecure%3A5000', 'insecure:5000 http://insecure:5000/v2/a'],
    ],
  ])('%s: %j', (name, expected) => {
    expect(sources(name)).toEqual(expected);
  });

  it('are its registry alone where no mirrors are', () => {
    expect(sources('[::1]:5000/a', {})).toEqual(['[::1]:5000 https://[::1]:5000/v2/a']);
  });
});
