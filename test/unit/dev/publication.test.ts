import { expect, it } from 'vitest';
import { parsePublication } from '../../../dev/config.ts';

it.each([
  ['8080:hello', { address: '127.0.0.1', port: 8080, service: 'hello.default', servicePort: 80 }],
  ['0:db.shop:5432', { address: '127.0.0.1', port: 0, service: 'db.shop', servicePort: 5432 }],
  ['0.0.0.0:80:web', { address: '0.0.0.0', port: 80, service: 'web.default', servicePort: 80 }],
])('%s is a port of this machine for a Service', (text, expected) => {
  expect(parsePublication(text)).toEqual(expected);
});

it.each(['hello', '8080', '65536:hello', '80:hello:65536', 'host:80:hello', '80:Hello', '80:-a'])(
  '%s is refused',
  (text) =>
    expect(() => parsePublication(text)).toThrow('--publish must be [ADDRESS:]PORT:SERVICE'),
);
