import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseRegistries } from '../../../../agent/images/read-registries.ts';
import { errorChain } from '../../../../base/error-chain.ts';
import {
  type Answer,
  refuse,
  serveRegistry,
  type TestRegistry,
} from '../../../support/registry.ts';
import { type ClientSetup, registryClients } from '../../../support/registry-clients.ts';

const clients = registryClients();
let registry: TestRegistry;
let directory: string;
/** Of everything that the place for tokens was asked, in order. */
let forms: string[];
let seconds: number;
const path = process.env.PATH;
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'orc-logins-'));
  registry = await serveRegistry();
  registry.put('team/web:1', { layers: [Buffer.from('a'), Buffer.from('b'), Buffer.from('c')] });
  forms = [];
  seconds = 0;
});
afterEach(async () => {
  process.env.PATH = path;
  await clients.close();
  await registry.close();
  rmSync(directory, { recursive: true });
});

const client = ({ network, ...more }: ClientSetup = {}) =>
  clients.client(`${registry.host}/team/web:1`, {
    network: { insecure: [registry.host], ...network },
    clock: { monotonic: () => seconds * 1000 },
    ...more,
  });
const signal = () => new AbortController().signal;
const manifest = (setup?: ClientSetup) => client(setup).fetchManifest('1', signal());
const user = (username: string, password = 'pw') => ({
  ...{ registry: registry.host, username, password },
});
const basic = (username: string, password = 'pw') =>
  `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;

/** The registry wants tokens; those given out are numbered, and only the last one is good. */
function wantTokens(more: object = {}): void {
  const realm = `http://${registry.host}/token`;
  registry.instead(
    /^\/v2\//,
    (request, response, ordinarily) => {
      if (request.headers.authorization === `Bearer t${forms.length}`) return ordinarily();
      const scope = 'repository:team/web:pull';
      response.setHeader(
        'www-authenticate',
        `Bearer realm="${realm}",service="s",scope="${scope}"`,
      );
      refuse(response, 401, { code: 'UNAUTHORIZED', message: 'authentication required' });
    },
    999,
  );
  registry.instead(
    /^\/token/,
    (request, response) => {
      void text(request).then((body) => {
        forms.push(`${request.method} ${request.url} ${body} ${request.headers.authorization}`);
        response.end(JSON.stringify({ access_token: `t${forms.length}`, ...more }));
      });
    },
    999,
  );
}
const wantBasic: Answer = (request, response, ordinarily) => {
  if (request.headers.authorization === basic('good')) return ordinarily();
  response.setHeader('www-authenticate', 'Basic realm="r"');
  refuse(response, 401, { code: 'NO', message: 'who?' });
};
const shown = () => registry.requests.map((request) => request.headers.authorization);

describe('a token', () => {
  it('that ends during a pull is replaced by one for all that go on', async () => {
    wantTokens();
    const pulling = client();
    const { bytes } = await pulling.fetchManifest('1', signal());
    const { layers } = JSON.parse(bytes.toString());
    forms.push('somebody made the first one worthless');
    const blobs = layers.map((layer: never) => pulling.fetchBlob(layer, signal()));
    expect((await Promise.all(blobs)).length).toBe(3);
    expect(forms.length).toBe(3);
  });

  it('is not shown when its time is over', async () => {
    wantTokens({ expires_in: 60 });
    const pulling = client();
    await pulling.fetchManifest('1', signal());
    seconds = 59;
    await pulling.fetchManifest('1', signal());
    seconds = 61;
    await pulling.fetchManifest('1', signal());
    expect(shown()).toEqual([
      ...[undefined, undefined, 'Bearer t1', 'Bearer t1'],
      ...[undefined, undefined, 'Bearer t2'],
    ]);
  });

  it('is got for an identity token by OAuth2', async () => {
    wantTokens();
    await manifest({ credentials: [user('<token>', 'it&1')] });
    expect(forms).toEqual([
      'POST /token grant_type=refresh_token&refresh_token=it%261&client_id=orc&service=s&scope=repository%3Ateam%2Fweb%3Apull undefined',
    ]);
  });
});

describe('logins', () => {
  it('are tried in order: the pod’s, that of registries.yaml, those of the docker config', async () => {
    registry.instead(/./, wantBasic, 99);
    const dockerConfig = join(directory, 'config.json');
    const auth = (name: string) => ({ auth: Buffer.from(`${name}:pw`).toString('base64') });
    const auths = { 'other.example': auth('other'), [registry.host]: auth('good') };
    writeFileSync(dockerConfig, JSON.stringify({ auths }));
    const configs = { [registry.host]: { auth: { username: 'yaml', password: 'pw' } } };
    const registries = parseRegistries('r.yaml', JSON.stringify({ configs }));
    await manifest({ credentials: [user('pod')], network: { registries, dockerConfig } });
    expect(shown()).toEqual([undefined, basic('pod'), basic('yaml'), basic('good')]);
  });
});

describe('a credential helper', () => {
  const helper = (script: string) => {
    const file = join(directory, 'docker-credential-test');
    writeFileSync(file, `#!/bin/sh\n${script}\n`);
    chmodSync(file, 0o755);
    process.env.PATH = `${directory}${delimiter}${path}`;
  };
  const dockerConfig = (config: object) => {
    const file = join(directory, 'config.json');
    writeFileSync(file, JSON.stringify(config));
    return { network: { dockerConfig: file } };
  };
  const failure = async (setup: ClientSetup) =>
    errorChain(await manifest(setup).catch((error: unknown) => error));

  it('is asked for the registry that it keeps', async () => {
    registry.instead(/./, wantBasic, 99);
    helper(
      `[ "$1" = get ] && [ "$(cat)" = ${registry.host} ] && echo '{"Username":"good","Secret":"pw"}'`,
    );
    await manifest(dockerConfig({ credHelpers: { [registry.host]: 'test', 'x.example': 'none' } }));
    await manifest(dockerConfig({ credsStore: 'test', auths: { [registry.host]: {} } }));
    expect(shown()).toEqual([undefined, basic('good'), undefined, basic('good')]);
  });

  it('may give an identity token', async () => {
    wantTokens();
    helper(`echo '{"Username":"<token>","Secret":"it"}'`);
    await manifest(dockerConfig({ credsStore: 'test' }));
    expect(forms[0]).toContain('refresh_token=it&');
  });

  it('that keeps nothing leaves it to the file, or to nobody', async () => {
    wantTokens();
    helper(`echo 'credentials not found in native keychain'; exit 1`);
    await manifest(dockerConfig({ credsStore: 'test' }));
    const auths = { [registry.host]: { username: 'file', password: 'pw' } };
    await manifest(dockerConfig({ credsStore: 'test', auths }));
    expect(forms.map((form) => form.split(' ').slice(3).join(' '))).toEqual([
      'undefined',
      basic('file'),
    ]);
  });

  it.each([
    ['isn’t there', undefined, /docker-credential-none, asked for .*: it failed: spawn .*ENOENT/],
    ['fails', 'echo locked; exit 1', /docker-credential-test, asked for \S+ locked: Command fail/],
    ['says something else', 'echo ann:hidden', /asked for \S+ it answered no Username and Secret$/],
    ['never ends', 'sleep 60', /asked for \S+ no answer in 300 ms/],
  ])('that %s is told of', async (_, script, said) => {
    registry.instead(/./, wantBasic, 99);
    if (script !== undefined) helper(script);
    const credsStore = script === undefined ? 'none' : 'test';
    expect(await failure(dockerConfig({ credsStore }))).toMatch(said);
  });

  it.each([
    ['isn’t there', undefined, /config\.json can't be read: ENOENT/],
    ['is no JSON', 'auths: {}', /config\.json is not JSON/],
  ])('a docker config that %s is told of', async (_, content, said) => {
    registry.instead(/./, wantBasic, 99);
    const file = join(directory, 'config.json');
    if (content !== undefined) writeFileSync(file, content);
    expect(await failure({ network: { dockerConfig: file } })).toMatch(said);
  });
});
