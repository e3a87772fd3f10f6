import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fastify, { type FastifyInstance } from 'fastify';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readAgentConfig } from '../../../agent/config.ts';
import { readIdentity } from '../../../agent/session/node-identity.ts';
import { systemClock } from '../../../base/clock.ts';
import { silentLog } from '../../../base/log.ts';
import { publicKeyHash } from '../../../base/pinned-https.ts';
import { controllerSubject } from '../../../controller/auth/ca.ts';
import { joinRoutes } from '../../../controller/auth/join.ts';
import { joinTokens } from '../../../controller/auth/join-tokens.ts';
import { type LinkWorld, openLinkWorld, rng } from '../../support/link-world.ts';
import { orc } from '../../support/orc-cli.ts';

let world: LinkWorld;
let dir: string;
let server: FastifyInstance;
let url: string;
let token: string;

beforeAll(async () => {
  world = await openLinkWorld();
  dir = await mkdtemp(join(tmpdir(), 'orc-join-command-'));
  const { ca, store } = world;
  const caHash = publicKeyHash(ca.certificate);
  const tokens = joinTokens({ store, caHash, clock: systemClock(), rng });
  const pair = await ca.issue(controllerSubject(['127.0.0.1']));
  server = fastify({ https: { key: pair.key, cert: pair.certificate } });
  const keys = () => Promise.reject(new Error('no controller joins here'));
  await server.register(joinRoutes({ ca, keys, tokens, isNode: () => false, log: silentLog }));
  url = await server.listen({ host: '127.0.0.1', port: 0 });
  ({ token } = await tokens.create('node'));
});
afterAll(async () => {
  await server.close();
  await world.close();
  await rm(dir, { recursive: true, force: true });
});

const config = () => join(dir, 'etc', 'agent.yaml');
const dataDir = () => join(dir, 'data');
const joinWith = (...words: string[]) =>
  orc(['agent', 'join', '--config', config(), '--data-dir', dataDir(), ...words]);
const address = ['--address', '10.0.0.7'];

describe('orc agent join', () => {
  it.each([
    ['no token', () => [url], /give the URL of a controller and a token/],
    [
      'another kind of URL',
      () => ['http://x', token],
      /must be https:\/\/HOST:PORT, not http:\/\/x/,
    ],
    ['a word that is no token', () => [url, 'abc', ...address], /is not a join token/],
    [
      'a token of another cluster',
      () => [url, token.replace(/.$/, (last) => (last === '0' ? '1' : '0')), ...address],
      /cluster of this/,
    ],
    [
      'a token that was never given',
      () => [url, token.replace(/\.[^.]{5}/, '.00000'), ...address],
      /token/,
    ],
    ['only its own 127.0.0.1', () => [url, token], /give --address, or another URL/],
  ])('writes nothing for %s', async (_, words, why) => {
    const run = await joinWith(...words());
    expect(run.code).toBeGreaterThan(0);
    expect(run.err).toMatch(why);
    expect([existsSync(config()), await readIdentity(join(dataDir(), 'pki'))]).toEqual([
      ...[false, undefined],
    ]);
  });

  it('joins, writes what the agent needs without a secret, and says what to run where there is no systemd', async () => {
    const run = await joinWith(url, token, ...address, '--node-name', 'n1', '--label', 'disk=fast');
    expect(run).toMatchObject({ code: 0, out: expect.stringContaining(`--config ${config()}`) });
    expect(await readFile(config(), 'utf8')).not.toContain('orcjoin');
    expect(readAgentConfig(['--config', config()])).toMatchObject({
      ...{ nodeName: 'n1', address: '10.0.0.7', controller: ['127.0.0.1:6444'] },
      ...{ labels: { disk: 'fast' }, dataDir: dataDir(), join: undefined },
    });
    expect(await readIdentity(join(dataDir(), 'pki'))).toBeDefined();
  });

  it('refuses a machine that has joined', async () => {
    const run = await joinWith(url, token, ...address);
    expect(run.err).toContain('has joined a cluster already; orc reset makes it leave');
  });
});
