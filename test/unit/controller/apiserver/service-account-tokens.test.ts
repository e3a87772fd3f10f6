import { sign } from 'node:crypto';
import { beforeAll, expect, it } from 'vitest';
import { ServiceAccount } from '../../../../api/service-account.ts';
import { serviceAccountTokens } from '../../../../controller/apiserver/service-account-tokens.ts';
import { deriveKey, exportKey, newKey } from '../../../../controller/auth/key-pair.ts';
import { anObject } from '../../../support/an-object.ts';
import { type ObjectWorld, objectWorld } from '../../../support/object-world.ts';
import { seededRng } from '../../../support/seeded-rng.ts';

let world: ObjectWorld;
let pem: string;
let account: ServiceAccount;
beforeAll(async () => {
  world = await objectWorld();
  pem = exportKey((await newKey()).privateKey);
  const wanted = anObject(ServiceAccount, { metadata: { name: 'ci' } });
  account = await world.objects.create(ServiceAccount, wanted);
  await world.settled();
});

const tokens = (key = deriveKey(pem, 'a')) =>
  serviceAccountTokens({ key, cache: world.cache, clock: world.clock, rng: seededRng(1) });
const wish = () => ({ account, pod: undefined, audiences: [], expirationSeconds: 600 });
const decoded = (part = '') => JSON.parse(Buffer.from(part, 'base64url').toString());
const encoded = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');

it('makes of a key always the same other one, for each purpose another', async () => {
  for (let i = 0; i < 600; i++) deriveKey(pem, String(i));
  const text = (purpose: string) => deriveKey(pem, purpose).export({ format: 'jwk' });
  expect(text('a')).toEqual(text('a'));
  expect(text('a')).not.toEqual(text('b'));
});

it('says of whom a token is, from when and how long', () => {
  const { token, expirationTimestamp } = tokens().issue(wish());
  const [head, claims] = token.split('.');
  expect(decoded(head)).toEqual({ alg: 'ES256', kid: expect.any(String) });
  const now = Date.parse('2026-01-01T00:00:00Z') / 1000;
  expect(decoded(claims)).toEqual({
    aud: ['https://kubernetes.default.svc.cluster.local'],
    ...{ iat: now, nbf: now, exp: now + 600 },
    iss: 'https://kubernetes.default.svc.cluster.local',
    jti: expect.any(String),
    sub: 'system:serviceaccount:default:ci',
    'kubernetes.io': {
      namespace: 'default',
      serviceaccount: { name: 'ci', uid: account.metadata.uid },
    },
  });
  expect(expirationTimestamp).toBe('2026-01-01T00:10:00Z');
});

it('takes a token in every controller of the cluster, and in no other', async () => {
  const { token } = tokens().issue(wish());
  expect(tokens().check(token)).toHaveProperty('user');
  expect(tokens(deriveKey(pem, 'b')).check(token)).toEqual({
    error: 'the token is not one of this cluster',
  });
});

it('takes nothing that was changed, unsigned or signed otherwise', () => {
  const { issue, check } = tokens();
  const { token } = issue(wish());
  expect(check(token)).toHaveProperty('user');
  const [head = '', claims = '', signature = ''] = token.split('.');
  const sub = 'system:serviceaccount:kube-system:root';
  const forged = encoded({ ...decoded(claims), sub });
  const none = encoded({ alg: 'none' });
  const hmac = encoded({ alg: 'HS256', kid: decoded(head).kid });
  const other = sign('sha256', Buffer.from(`${head}.${forged}`), deriveKey(pem, 'b'));
  const wrong = [
    ...['', '.', '..', 'x', token.slice(0, -2), `${token}.`, `${token}.${signature}`],
    ...[`${head}.${forged}.${signature}`, `${none}.${forged}.`, `${none}.${claims}.${signature}`],
    ...[`${head}.${forged}.`, `${hmac}.${claims}.${signature}`, `${head}.${claims}`],
    `${head}.${forged}.${other.toString('base64url')}`,
  ];
  for (const one of wrong)
    expect([one, check(one)]).toEqual([one, { error: 'the token is not one of this cluster' }]);
});

it('refuses a token after its time, also one that it has taken before', () => {
  const { issue, check } = tokens();
  const { token } = issue(wish());
  world.clock.advance(599_000);
  expect(check(token)).toHaveProperty('user');
  world.clock.advance(1000);
  expect(check(token)).toEqual({ error: 'the token has expired' });
});
