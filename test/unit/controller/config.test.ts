import { expect, it } from 'vitest';
import { readControllerConfig } from '../../../controller/config.ts';

it.each([
  ['--join https://a:6443', '--join and --token go together'],
  ['--token t --etcd http://e:2379', '--join and --token go together'],
  ['--join https://a:6443 --token t', '--join needs --etcd'],
])('refuses %s, and says why', (line, why) => {
  expect(() => readControllerConfig(line.split(' '))).toThrow(why);
});
