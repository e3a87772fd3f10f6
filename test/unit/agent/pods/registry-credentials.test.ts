import { expect, it } from 'vitest';
import { registryCredentials } from '../../../../agent/pods/registry-credentials.ts';
import type { Secret } from '../../../../api/secret.ts';
import { anAssignment } from '../../../support/a-pod.ts';

const base64 = (text: string) => Buffer.from(text).toString('base64');

function credentialsOf(config: string, type = 'dockerconfigjson') {
  const secret: Secret = {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'pull', uid: 'u', resourceVersion: '1', creationTimestamp: '' },
    type: `kubernetes.io/${type}`,
    data: { [`.${type}`]: base64(config) },
  };
  const imagePullSecrets = [{ name: 'missing' }, { name: 'pull' }];
  const secrets = new Map([['pull', secret]]);
  return registryCredentials({ ...anAssignment({ imagePullSecrets }), secrets });
}

const entry = (fields: object) => JSON.stringify({ auths: { 'r.example': fields } });
const ann = (password: string) => [{ registry: 'r.example', username: 'ann', password }];

it.each([
  ['a user name and a password', entry({ username: 'ann', password: 'pw' }), ann('pw')],
  ['both in one', entry({ auth: base64('ann:pw') }), ann('pw')],
  ['a password with a colon', entry({ auth: base64('ann:p:w') }), ann('p:w')],
  [
    'a user name that says more than auth',
    entry({ auth: base64('x:pw'), username: 'ann' }),
    ann('pw'),
  ],
  ['no registries', '{}', []],
  ['null', 'null', []],
  ['auths that are no object', '{"auths":3}', []],
  ['something else than JSON', 'user:password', []],
  ['an entry that is no object', '{"auths":{"r.example":null}}', []],
  ['an entry that a credential helper keeps', entry({}), []],
  [
    'an identity token',
    entry({ auth: base64('ann:'), identitytoken: 'it' }),
    [{ registry: 'r.example', username: '<token>', password: 'it' }],
  ],
])('reads %s', (_, config, expected) => {
  expect(credentialsOf(config)).toEqual(expected);
});

it('reads Secrets of the older type', () => {
  const config = JSON.stringify({ 'r.example': { auth: base64('ann:pw'), email: 'a@r.example' } });
  expect(credentialsOf(config, 'dockercfg')).toEqual(ann('pw'));
});

it('has none without imagePullSecrets', () => {
  expect(registryCredentials(anAssignment())).toEqual([]);
});
