import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  parseRegistries,
  readRegistries,
  usualRegistries,
} from '../../../../agent/images/read-registries.ts';
import { noRegistries } from '../../../../agent/images/registries.ts';
import { makeAuthority } from '../../../support/certificates.ts';

let directory: string;
const file = (name: string, content: string) => {
  writeFileSync(join(directory, name), content);
  return join(directory, name);
};
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'orc-registries-'));
  await (await makeAuthority(directory)).issue('client');
  file('not-pem', 'hello');
  file('ed448.pub', publicKey('ed448'));
  file('a.pub', publicKey('ed25519'));
});
afterAll(() => rmSync(directory, { recursive: true }));

const publicKey = (type: 'ed25519' | 'ed448') =>
  generateKeyPairSync(type as 'ed25519').publicKey.export({
    type: 'spki',
    format: 'pem',
  }) as string;

const parse = (text: string) => parseRegistries('r.yaml', text.replaceAll('DIR', directory));
const mistakes = (text: string) => {
  try {
    parse(text);
  } catch (error) {
    return (error as Error).message.replaceAll(directory, 'DIR').split('\n');
  }
  return [];
};

describe('registries.yaml', () => {
  it('is read as k3s wrote it', () => {
    const { mirrors, hosts, policy } = parse(`
mirrors:
  docker.io:
    endpoint:
      - "https://registry.example.com:5000"
      - "http://plain.example.com/v2"
      - "https://cache.example.com/v2/proxy/hub/"
    rewrite:
      "^rancher/(.*)": "mirrorproject/rancher-images/$1"
      "^(a)b": "\${1}c"
  "*":
    endpoint: ["https://all.example.com"]
  quay.io:
configs:
  "registry.example.com:5000":
    auth: {username: ann, password: pw}
    tls: {cert_file: DIR/client.crt, key_file: DIR/client.key, ca_file: DIR/ca.crt}
  registry-1.docker.io:
    auth: {auth: ${Buffer.from('bob:p:w').toString('base64')}}
  ghcr.io:
    auth: {identity_token: it}
    tls: {insecure_skip_verify: true}
`);
    expect(mirrors).toEqual({
      'docker.io': {
        bases: [
          'https://registry.example.com:5000/v2',
          'http://plain.example.com/v2',
          'https://cache.example.com/v2/proxy/hub',
        ],
        rewrites: [
          [/^rancher\/(.*)/, 'mirrorproject/rancher-images/$1'],
          [/^(a)b/, '$1c'],
        ],
      },
      '*': { bases: ['https://all.example.com/v2'], rewrites: [] },
    });
    const shown = Object.entries(hosts).map(([name, { login, tls }]) => [
      name,
      ...[login?.username, login?.password, tls?.rejectUnauthorized],
    ]);
    expect(shown).toEqual([
      ['registry.example.com:5000', 'ann', 'pw', true],
      ['docker.io', 'bob', 'p:w', undefined],
      ['ghcr.io', '<token>', 'it', false],
    ]);
    expect(policy).toEqual([]);
  });

  it('has a policy, whose keys are read', () => {
    const { policy } = parse(`policy:
- {repository: "*", reject: true}
- {repository: docker.io/library/*, accept: true}
- repository: r.example/team/web
  signedBy: [DIR/a.pub]
`);
    expect(policy).toMatchObject([
      { repository: '*', verdict: 'reject', writtenAt: 'r.yaml:2' },
      { repository: 'docker.io/library/*', verdict: 'accept', writtenAt: 'r.yaml:3' },
      {
        ...{ repository: 'r.example/team/web', writtenAt: 'r.yaml:4' },
        verdict: [{ path: `${directory}/a.pub`, fingerprint: expect.stringMatching(/^sha256:/) }],
      },
    ]);
  });

  it.each(['', '# nothing\n', '{}', 'mirrors:\nconfigs:\n'])('may say nothing: %j', (text) => {
    expect(parse(text)).toEqual(noRegistries);
  });

  it.each([
    ['mirrors: [', [expect.stringMatching(/^r\.yaml:1:\d+ {2}/)]],
    ['- a', ['r.yaml:1:1  must be an object, not a list']],
    ['miror: {}', ['r.yaml:1:1  miror: unknown field; did you mean "mirrors"?']],
    [
      'mirrors:\n  docker.io:\n    endpoints: [a]\n  a/b:\n    endpoint: [ftp://x, "https://u:p@x"]\n',
      [
        'r.yaml:3:5  mirrors[docker.io].endpoints: unknown field; did you mean "endpoint"?',
        'r.yaml:4:3  mirrors[a/b]: must be HOST, HOST:PORT or "*"',
        'r.yaml:5:16  mirrors[a/b].endpoint[0]: must be like https://HOST:PORT',
        'r.yaml:5:25  mirrors[a/b].endpoint[1]: must be like https://HOST:PORT',
      ],
    ],
    [
      'mirrors: {x: {rewrite: {"(": a}}}',
      [expect.stringMatching(/^r\.yaml:1:\d+ {2}mirrors\.x\.rewrite\[\(\]: must be a regular exp/)],
    ],
    [
      'configs:\n  x: {auth: {password: 12345}}\n  z: {auth: {password: hidden}}\n',
      ['r.yaml:2:24  configs.x.auth.password: must be a string, not a number'],
    ],
    [
      'configs:\n  x: {auth: {password: hidden}}\n  z: {tls: {key_file: DIR/client.key}}\n',
      [
        'r.yaml:2:7  configs.x.auth: Required value: username and password, auth, or identity_token',
        'r.yaml:3:7  configs.z.tls: Required value: cert_file and key_file go together',
      ],
    ],
    [
      'configs:\n  "*": {tls: {insecure_skip_verify: true}}\n',
      ['r.yaml:2:3  configs[*]: Forbidden: for every host there may be tls.ca_file only'],
    ],
    [
      'configs:\n  x:\n    tls:\n      ca_file: DIR/none\n      cert_file: DIR/not-pem\n      key_file: DIR/client.key\n',
      [
        "r.yaml:4:16  configs.x.tls.ca_file: can't be used: ENOENT: no such file or directory, open 'DIR/none'",
        expect.stringMatching(/^r\.yaml:5:18 {2}configs\.x\.tls\.cert_file: can't be used: .*PEM/),
      ],
    ],
    [
      'configs: {x: {tls: {ca_file: DIR/ca.crt, cert_file: DIR/ca.crt, key_file: DIR/client.key}}}',
      [expect.stringMatching(/configs\.x\.tls\.key_file: can't be used: .*mismatch/)],
    ],
    [
      'policy:\n- {repository: nginx, accept: true}\n- {repository: r.example/team*, reject: true}\n- {repository: r.example/a, accept: true, reject: true}\n- {accept: true}\n',
      [
        'r.yaml:2:16  policy[0].repository: must be "*", HOST/REPOSITORY or, for all below it, HOST/REPOSITORY/*',
        'r.yaml:3:16  policy[1].repository: must be "*", HOST/REPOSITORY or, for all below it, HOST/REPOSITORY/*',
        'r.yaml:5:3  policy[3].repository: Required value',
      ],
    ],
    [
      'policy:\n- {repository: r.example/a, accept: true, reject: true}\n- {repository: r.example/b}\n- {repository: r.example/c, signedBy: [DIR/none, DIR/ed448.pub]}',
      [
        'r.yaml:2:3  policy[0]: Required value: one of accept: true, reject: true and signedBy: [FILE, …]',
        'r.yaml:3:3  policy[1]: Required value: one of accept: true, reject: true and signedBy: [FILE, …]',
        "r.yaml:4:40  policy[2].signedBy[0]: can't be used: ENOENT: no such file or directory, open 'DIR/none'",
        expect.stringMatching(
          /^r\.yaml:4:\d+ {2}policy\[2\]\.signedBy\[1\]: can't .* it is ed448, nei/,
        ),
      ],
    ],
    [
      'policy:\n- {repository: r.example/a, accept: true}\n- {repository: r.example/a, reject: true}\n',
      ['r.yaml:3:16  policy[1].repository: Duplicate value: "r.example/a"'],
    ],
  ])('that is wrong is told where: %j', (text, expected) => {
    expect(mistakes(text)).toEqual(expected);
  });

  it('must be there, unless it is the usual one', () => {
    expect(readRegistries(usualRegistries, 'registries')).toEqual(noRegistries);
    expect(() => readRegistries(join(directory, 'none'), 'registries')).toThrow(
      /^--registries: .*none can't be read/,
    );
    const wrong = file('wrong.yaml', 'a: 1');
    expect(() => readRegistries(wrong, 'registries')).toThrow(
      `--registries is wrong:\n${wrong}:1:1  a: unknown field`,
    );
  });
});
