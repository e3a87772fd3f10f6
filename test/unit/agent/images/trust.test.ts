import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import {
  planTrust,
  type TrustRule,
  trustedKey,
  verifySignatures,
} from '../../../../agent/images/trust.ts';
import { payloadOf, signed } from '../../../support/cosign.ts';

const digest = `sha256:${'a'.repeat(64)}`;
const repository = 'r.example/team/web';

describe('the rule for a repository', () => {
  const policy: readonly TrustRule[] = [
    ...['*', 'r.example/*', 'r.example/team/*', 'r.example/team/web', 'r.example/team/web/*'],
    'docker.io/library/nginx',
  ].map((written) => ({ repository: written, writtenAt: 'r.yaml:1', verdict: 'accept' }));

  it.each([
    ['r.example/team/web', 'r.example/team/web'],
    ['r.example/team/web/a', 'r.example/team/web/*'],
    ['r.example/team/other', 'r.example/team/*'],
    ['r.example/team/a/b', 'r.example/team/*'],
    ['r.example/team-b/web', 'r.example/*'],
    ['r.example.evil/team/web', '*'],
    ['docker.io/library/nginx', 'docker.io/library/nginx'],
    ['docker.io/library/nginx2', '*'],
  ])('%s is %s', (name, expected) => {
    expect(planTrust(policy, name)?.repository).toBe(expected);
    expect(planTrust(policy.toReversed(), name)?.repository).toBe(expected);
  });

  it('may be none', () => {
    expect(planTrust(policy.slice(1), 'quay.io/a/b')).toBeUndefined();
  });
});

const pairs = {
  ecdsa: generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  p384: generateKeyPairSync('ec', { namedCurve: 'P-384' }),
  rsa: generateKeyPairSync('rsa', { modulusLength: 2048 }),
  ed25519: generateKeyPairSync('ed25519'),
};
const publicPem = (key: KeyObject) => Buffer.from(key.export({ type: 'spki', format: 'pem' }));
const trusted = (kind: keyof typeof pairs) =>
  trustedKey(`/keys/${kind}.pub`, publicPem(pairs[kind].publicKey));
const { ecdsa, ed25519, rsa } = pairs;
const verify = (
  signatures: Parameters<typeof verifySignatures>[0],
  ...keys: (keyof typeof pairs)[]
) => verifySignatures(signatures, { keys: keys.map(trusted), repository, digest });

describe('signatures', () => {
  it.each(['ecdsa', 'p384', 'rsa', 'ed25519'] as const)('by a key of kind %s are good', (kind) => {
    const one = signed(payloadOf(repository, digest), pairs[kind].privateKey);
    expect(verify([one], kind)).toEqual(trusted(kind));
  });

  it('need one that is right, of all keys and all signatures', () => {
    const payload = payloadOf(repository, digest);
    const several = [
      signed(payload, rsa.privateKey),
      signed(payloadOf('r.example/other', digest), ed25519.privateKey),
      signed(payload, ed25519.privateKey),
    ];
    expect(verify(several, 'ecdsa', 'ed25519')).toEqual(trusted('ed25519'));
  });

  it.each([`${repository}:1`, `${repository}@${digest}`])('may name %s', (name) => {
    expect(verify([signed(payloadOf(name, digest), ecdsa.privateKey)], 'ecdsa')).toBeTypeOf(
      'object',
    );
  });

  const other = `sha256:${'b'.repeat(64)}`;
  const payload = payloadOf(repository, digest);
  const { signature } = signed(payload, ecdsa.privateKey);
  it.each([
    ['none', [], 'it has no signatures'],
    [
      'of another key',
      [signed(payload, rsa.privateKey)],
      'it is signed by none of /keys/ecdsa.pub',
    ],
    ['that are noise', [{ payload, signature: Buffer.from('x') }], 'it is signed by none of'],
    ['that are empty', [{ payload, signature: Buffer.alloc(0) }], 'it is signed by none of'],
    [
      'of something else',
      [{ payload: payloadOf(repository, other), signature }],
      'signed by none of',
    ],
    [
      'copied from another repository',
      [signed(payloadOf('r.example/team/web2', digest), ecdsa.privateKey)],
      '/keys/ecdsa.pub signed it as another repository, r.example/team/web2',
    ],
    [
      'that name nothing',
      [signed(payloadOf('', digest), ecdsa.privateKey)],
      '/keys/ecdsa.pub signed it as another repository, ',
    ],
    [
      'of another image',
      [signed(payloadOf(repository, other), ecdsa.privateKey)],
      `/keys/ecdsa.pub signed another digest, ${other}`,
    ],
    [
      'of something that is no image',
      [signed(payloadOf(repository, digest, 'atomic container signature'), ecdsa.privateKey)],
      '/keys/ecdsa.pub signed something of type "atomic container signature"',
    ],
    [
      'of an empty payload',
      [signed(Buffer.from('{}'), ecdsa.privateKey)],
      '/keys/ecdsa.pub signed something of type "undefined"',
    ],
  ])('%s: refused', (_, signatures, why) => {
    expect(verify(signatures, 'ecdsa')).toContain(why);
  });

  it('of several kinds are each told of, once', () => {
    const bad = signed(payload, rsa.privateKey);
    const moved = signed(payloadOf('r.example/x', digest), ecdsa.privateKey);
    expect(verify([bad, bad, moved], 'ecdsa', 'ed25519')).toBe(
      'it is signed by none of /keys/ecdsa.pub, /keys/ed25519.pub; ' +
        '/keys/ecdsa.pub signed it as another repository, r.example/x',
    );
  });
});
