import { describe, expect, it } from 'vitest';
import { readControllerConfig } from '../../../controller/config.ts';

const etcdOf = (line: string) => readControllerConfig(line.split(' ')).etcd;

describe('the flags for etcd', () => {
  it('select etcd when one names a member, and else nothing', () => {
    expect(readControllerConfig([]).etcd).toBeUndefined();
    expect(etcdOf('--etcd http://a:1 --etcd http://[::1]:2')?.urls).toEqual([
      'http://a:1',
      'http://[::1]:2',
    ]);
  });

  const refused: readonly (readonly [string, string])[] = [
    ['--etcd-ca ca.pem', '--etcd-ca needs --etcd'],
    ['--etcd a:1', '--etcd must be http://HOST:PORT or https://HOST:PORT, not a:1'],
    ['--etcd http://a:1/x', 'not http://a:1/x'],
    ['--etcd http://u:p@a:1', 'not http://u:p@a:1'],
    ['--etcd https://a:1 --etcd http://b:1', '--etcd: either all URLs are https, or none'],
    ['--etcd http://a:1 --etcd-ca c', '--etcd-ca needs an https URL in --etcd'],
    ['--etcd https://a:1 --etcd-cert c', '--etcd-cert needs --etcd-key'],
    ['--etcd https://a:1 --etcd-key c', '--etcd-key needs --etcd-cert'],
    ['--etcd https://a:1 --etcd-user u', '--etcd-user needs --etcd-password-file'],
  ];
  for (const [line, words] of refused)
    it(`are refused as ${line}`, () => {
      expect(() => etcdOf(line)).toThrow(words);
    });
});
