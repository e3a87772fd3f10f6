import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fastify, { type FastifyInstance } from 'fastify';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { flawOf } from '../../../agent/session/identity-keeper.ts';
import { joinCluster, readIdentity } from '../../../agent/session/node-identity.ts';
import { formatJoinToken, parseJoinToken } from '../../../api/join.ts';
import { silentLog } from '../../../base/log.ts';
import { publicKeyHash } from '../../../base/pinned-https.ts';
import { controllerSubject, openCa } from '../../../controller/auth/ca.ts';
import {
  checkAuthority,
  joinControllers,
  readControllerKeys,
} from '../../../controller/auth/controller-keys.ts';
import { joinRoutes } from '../../../controller/auth/join.ts';
import { type JoinTokens, joinTokens } from '../../../controller/auth/join-tokens.ts';
import { fakeClock } from '../../support/fake-clock.ts';
import { clock, type LinkWorld, openLinkWorld, rng } from '../../support/link-world.ts';
import { waitFor } from '../../support/wait-for.ts';

let world: LinkWorld;
let dir: string;
let server: FastifyInstance;
let address: string;
let tokens: JoinTokens;
let requested: string[];
let keyReads = 0;
const controllerKeys = { caKey: 'KEY', ca: 'CERTIFICATE', storeKey: 'AAEC' };
const keys = async () => {
  keyReads++;
  return controllerKeys;
};
const tokenClock = fakeClock(clock.now());

beforeEach(async () => {
  world = await openLinkWorld();
  dir = await mkdtemp(join(tmpdir(), 'orc-join-'));
  const { ca, store } = world;
  const caHash = publicKeyHash(ca.certificate);
  tokens = joinTokens({ store, caHash, clock: tokenClock, rng });
  const pair = await ca.issue(controllerSubject(['127.0.0.1']));
  server = fastify({ https: { key: pair.key, cert: pair.certificate } });
  requested = [];
  server.addHook('onRequest', async ({ url }) => void requested.push(url));
  await server.register(
    joinRoutes({ ca, keys, tokens, isNode: (name) => name === 'taken', log: silentLog }),
  );
  address = await server.listen({ host: '127.0.0.1', port: 0 });
});
afterEach(async () => {
  await server.close();
  await world.close();
  await rm(dir, { recursive: true, force: true });
});

describe('joining', () => {
  it('turns a token into an identity that the link accepts, kept for the owner only', async () => {
    const { token } = await tokens.create('node');
    const identity = await joinAs('host1', token);
    expect(await readIdentity(dir)).toEqual(identity);
    expect((await stat(join(dir, 'identity.json'))).mode & 0o777).toBe(0o600);
    const agent = await world.startAgent({ nodeName: 'host1', identity });
    await waitFor('the connection', () => agent.session.connected);
  });

  it('lets several nodes join with one token', async () => {
    const { token } = await tokens.create('node');
    const [one, two] = [await joinAs('host1', token), await joinAs('host2', token)];
    expect(one.certificate).not.toBe(two.certificate);
  });

  it('refuses a token whose secret is wrong', async () => {
    const { token } = await tokens.create('node');
    const wrong = parseJoinToken(token);
    if (!wrong) throw new Error('not a token');
    const secret = rng.bytes(32).toString('base64url');
    await expect(joinAs('host1', formatJoinToken({ ...wrong, secret }))).rejects.toMatchObject({
      reason: 'Refused',
      message: 'this controller does not know the join token',
    });
    expect(await readdir(dir)).toEqual([]);
  });

  it('refuses a token that has expired, and says so', async () => {
    const { token } = await tokens.create('node', 1000);
    tokenClock.advance(1000);
    await expect(joinAs('host1', token)).rejects.toMatchObject({
      reason: 'Refused',
      message: expect.stringContaining('has expired'),
    });
  });

  it('refuses the name of a node that there is, and says what to do', async () => {
    const { token } = await tokens.create('node');
    await expect(joinAs('taken', token)).rejects.toMatchObject({
      reason: 'Refused',
      message: expect.stringMatching(/another --node-name.*`orc delete node taken`/),
    });
    expect(await readdir(dir)).toEqual([]);
  });

  it('sends no token to a controller of another cluster', async () => {
    const { token } = await tokens.create('node');
    const parsed = parseJoinToken(token);
    if (!parsed) throw new Error('not a token');
    const elsewhere = formatJoinToken({ ...parsed, caHash: '0'.repeat(64) });
    await expect(joinAs('host1', elsewhere)).rejects.toMatchObject({ reason: 'WrongAuthority' });
    expect(requested).toEqual(['/join/ca']);
  });

  it('says that a text is no token, and that nobody answers', async () => {
    await expect(joinAs('host1', 'secret')).rejects.toThrow('not a join token');
    const { token } = await tokens.create('node');
    await server.close();
    await expect(joinAs('host1', token)).rejects.toMatchObject({ reason: 'Unreachable' });
  });

  it('keeps only a hash of the secret in the store', async () => {
    const { token } = await tokens.create('node');
    const { entries } = await world.store.list('/orc/tokens/');
    const secret = parseJoinToken(token)?.secret ?? '';
    expect(entries).toHaveLength(1);
    expect(Buffer.from(entries[0]?.value ?? '').toString()).not.toContain(secret);
  });
});

describe('joining as a controller', () => {
  const places = () => ({ pki: join(dir, 'pki'), storeKey: join(dir, 'store.key') });
  const joinWith = (token: string) => joinControllers({ server: address, token }, places());

  it('turns a token into the keys of the cluster, for the owner only, and joins only once', async () => {
    const { token } = await tokens.create('controller');
    await joinWith(token);
    expect(await readControllerKeys(places())).toEqual(controllerKeys);
    for (const file of ['pki/ca.key', 'store.key'])
      expect((await stat(join(dir, file))).mode & 0o777, file).toBe(0o600);
    await joinWith(token);
    expect(requested.filter((path) => path === '/join/controller')).toHaveLength(1);
  });

  it.each([
    { which: 'has been used', say: 'has been used' },
    { which: 'is for a node', say: 'is for the other role' },
    { which: 'has expired', say: 'has expired' },
  ])('refuses a token that $which, in these words', async ({ which, say }) => {
    const { token } = await tokens.create(which === 'is for a node' ? 'node' : 'controller', 1000);
    if (which === 'has been used') await tokens.check(token, 'controller');
    if (which === 'has expired') tokenClock.advance(1000);
    keyReads = 0;
    await expect(joinWith(token)).rejects.toMatchObject({
      reason: 'Refused',
      message: expect.stringContaining(say),
    });
    expect({ keyReads, files: await readdir(dir) }).toEqual({ keyReads: 0, files: [] });
  });

  it('lets no node join with the token of a controller', async () => {
    const { token } = await tokens.create('controller');
    await expect(joinAs('host1', token)).rejects.toMatchObject({ reason: 'Refused' });
  });

  it('does not share a store with the controller of another authority', async () => {
    await checkAuthority(world.store, 'one');
    await checkAuthority(world.store, 'one');
    await expect(checkAuthority(world.store, 'two')).rejects.toMatchObject({
      reason: 'ForeignStore',
    });
  });
});

describe('the link', () => {
  it('refuses the certificate of another node', async () => {
    const identity = await world.identityOf('host2');
    const agent = await world.startAgent({ nodeName: 'host1', identity });
    await refused(agent.session);
    expect(agent.ledger.network()).toBeUndefined();
  });

  it('refuses an administrator', async () => {
    const admin = await world.ca.issue({
      use: 'client',
      name: 'admin',
      groups: ['system:masters'],
    });
    const identity = { ...admin, ca: world.ca.certificate };
    await refused((await world.startAgent({ nodeName: 'host1', identity })).session);
  });

  it('refuses a certificate of a foreign authority, and is refused by those who trust only that one', async () => {
    const foreign = await openCa({ dir: join(dir, 'foreign'), clock, rng });
    const pair = await foreign.issue({
      use: 'client',
      name: 'system:node:host1',
      groups: ['system:nodes'],
    });
    const impostor = await world.startAgent({
      nodeName: 'host1',
      identity: { ...pair, ca: world.ca.certificate },
    });
    await refused(impostor.session);
    const deceived = await world.startAgent({
      nodeName: 'host1',
      identity: { ...(await world.identityOf('host1')), ca: foreign.certificate },
    });
    await refused(deceived.session);
  });

  it('goes on with a renewed certificate of the controller, for connections from then on', async () => {
    const renewed = await world.ca.issue(controllerSubject(['127.0.0.1']));
    const agent = await world.startAgent({ nodeName: 'host1' });
    await waitFor('the connection', () => agent.session.connected);
    world.dispatcher().renewIdentity({ ...renewed, ca: world.ca.certificate });
    expect(agent.session.connected).toBe(true);
    const later = await world.startAgent({ nodeName: 'host2' });
    await waitFor('the later connection', () => later.session.connected);
  });

  it('renews the certificate of a node before it expires', async () => {
    const old = await openCa({
      dir: join(world.dir, 'pki'),
      clock: fakeClock(clock.now() - 70 * 24 * 60 * 60 * 1000),
      rng,
    });
    const identity = await world.identityOf('host1', old);
    const agent = await world.startAgent({ nodeName: 'host1', identity });
    const [renewed] = await waitFor('the renewal', () => agent.renewed.length > 0 && agent.renewed);
    expect(renewed?.certificate).not.toBe(identity.certificate);
    expect(renewed?.key).not.toBe(identity.key);
  });

  it('reaches into pods with the renewed certificate when the old one has expired', async () => {
    const days = 24 * 60 * 60 * 1000;
    const old = await openCa({
      dir: join(world.dir, 'pki'),
      clock: fakeClock(clock.now() - 90 * days + 4_000),
      rng,
    });
    const identity = await world.identityOf('host1', old);
    const query = () => Promise.resolve('metrics');
    const agent = await world.startAgent({ nodeName: 'host1', identity, handlers: { query } });
    await waitFor('the renewal', () => agent.renewed.length > 0);
    await waitFor('the expiry', () => flawOf(identity, clock.now()) !== undefined);
    const { podAccess } = world.dispatcher();
    const answer = podAccess.nodeText('host1', 'metrics', new AbortController().signal);
    expect([agent.session.connected, await answer]).toEqual([true, 'metrics']);
  });

  it.each([
    [-200, /^this node's certificate expired at 20\d\d-.*: join again$/],
    [+10, /^this node's certificate is valid from 20\d\d-.*: is the clock right\?$/],
  ])('knows why controllers hang up on one made %i days from now', async (days, why) => {
    const shifted = fakeClock(clock.now() + days * 24 * 60 * 60 * 1000);
    const ca = await openCa({ dir: join(world.dir, 'pki'), clock: shifted, rng });
    const identity = await world.identityOf('host1', ca);
    expect(flawOf(identity, clock.now())).toMatch(why);
    expect(flawOf(identity, shifted.now())).toBe(undefined);
  });
});

const joinAs = (nodeName: string, token: string) =>
  joinCluster({ server: address, token, nodeName, dir });

/** Long enough for several tries. */
async function refused(session: { readonly connected: boolean }): Promise<void> {
  await expect(waitFor('the connection', () => session.connected, 400)).rejects.toThrow();
}

it('has the authority’s key for its owner only', async () => {
  const { mode } = await stat(join(world.dir, 'pki', 'ca.key'));
  expect(mode & 0o777).toBe(0o600);
  expect(await readFile(join(world.dir, 'pki', 'ca.crt'), 'utf8')).toBe(world.ca.certificate);
});
