import { expect, it } from 'vitest';
import { parseResolvConf } from '../../../base/resolv-conf.ts';

it('reads servers and search domains, of which the last line counts', () => {
  const text = [
    '# by hand',
    'domain old.example',
    ' nameserver\t192.0.2.1 ',
    'search example.org. lan',
    'nameserver 2001:db8::1',
    'options ndots:2',
    'nameserver',
  ].join('\n');
  expect(parseResolvConf(text)).toEqual({
    nameservers: ['192.0.2.1', '2001:db8::1'],
    search: ['example.org', 'lan'],
  });
  expect(parseResolvConf('')).toEqual({ nameservers: [], search: [] });
});
