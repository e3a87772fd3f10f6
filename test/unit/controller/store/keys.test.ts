import { describe, expect, it } from 'vitest';
import { Deployment } from '../../../../api/deployment.ts';
import { Node } from '../../../../api/node.ts';
import { Pod } from '../../../../api/pod.ts';
import { claimKey, parseStoreKey, storeKey } from '../../../../controller/store/keys.ts';
import { servedKinds } from '../../../../controller/store/served-kinds.ts';

const { kinds } = servedKinds([Deployment, Node, Pod]);
const parse = (key: string) => parseStoreKey(kinds, key);

describe('the key of an object', () => {
  const check = (
    text: string,
    kind: typeof Pod | typeof Node | typeof Deployment,
    key: { namespace: string; name: string },
  ) =>
    it(`is ${text}`, () => {
      expect(storeKey(kind, key)).toBe(text);
      expect(parse(text)).toEqual({ kind, key });
    });

  check('/orc/core/pods/default/web', Pod, { namespace: 'default', name: 'web' });
  check('/orc/core/nodes/n1', Node, { namespace: '', name: 'n1' });
  check('/orc/apps/deployments/a/b.c', Deployment, { namespace: 'a', name: 'b.c' });

  for (const other of [
    claimKey('service-ip/10.96.0.7'),
    '/orc/core/pods/web',
    '/epoch',
    '/orc/core/jobs/a/b',
  ])
    it(`is not ${other}`, () => expect(parse(other)).toBeUndefined());
});
