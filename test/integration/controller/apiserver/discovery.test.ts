import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildApiServer } from '../../../../controller/apiserver/api-server.ts';
import { authenticate } from '../../../../controller/auth/authenticate.ts';
import { findKubectls, runKubectl } from '../../../support/kubectl.ts';
import { openTlsWorld, type TlsWorld } from '../../../support/tls-world.ts';

let world: TlsWorld;
/** Paths of documents asked for since the last look; "?" for those that the client may still have. */
let asked: string[] = [];

beforeAll(async () => {
  world = await openTlsWorld({
    authenticate(request) {
      const mayHave = request.headers['if-none-match'] === undefined ? '' : '?';
      asked.push(`${request.url?.split('?')[0]}${mayHave}`);
      return authenticate(request.socket as TLSSocket);
    },
  });
});

afterAll(() => world.close());

const kubectls = findKubectls();
const ends = kubectls.filter((_, index) => index === 0 || index === kubectls.length - 1);

describe.each(ends)('kubectl $version', (kubectl) => {
  const run = async (args: string) => {
    asked = [];
    const cacheDir = join(world.dir, kubectl.version);
    const options = { kubeconfig: world.kubeconfig, cacheDir };
    const { code, out, err } = await runKubectl(kubectl, args.split(' '), options);
    expect({ args, code, err }).toEqual({ args, code: 0, err: '' });
    return out;
  };

  it('learns of all kinds in two requests, and later asks only whether they are the same', async () => {
    const resources = await run('api-resources -o name');
    expect(asked.toSorted()).toEqual(['/api', '/apis']);
    expect(resources.split('\n')).toEqual(
      expect.arrayContaining(['pods', 'deployments.apps', 'pods.metrics.k8s.io']),
    );
    expect(await run('api-resources -o name')).toBe(resources);
    expect(asked.toSorted()).toEqual(['/api?', '/apis?']);
    expect(await run('get ns default -o name')).toBe('namespace/default\n');
    expect(asked[0]).toBe('/api/v1/namespaces/default');
  });
});

describe('discovery', () => {
  const aggregated = (v: string) =>
    `application/json;g=apidiscovery.k8s.io;v=${v};as=APIGroupDiscoveryList`;
  const get = async (headers: Record<string, string>, url = '/apis') => {
    const deps = { ...world.deps, authenticate: () => ({ name: 'a', groups: ['system:masters'] }) };
    const { app } = buildApiServer(deps);
    const { statusCode, headers: answered, body } = await app.inject({ url, headers });
    return {
      code: statusCode,
      type: answered['content-type'],
      etag: String(answered.etag),
      body,
    };
  };

  it.each([
    ['application/json', 'application/json'],
    [`${aggregated('v2')},${aggregated('v2beta1')},application/json`, aggregated('v2')],
    [`${aggregated('v2beta1')},application/json`, aggregated('v2beta1')],
    ['application/json; as=APIGroupDiscoveryList; v=v2; g=apidiscovery.k8s.io', aggregated('v2')],
    [`${aggregated('v9')},application/json`, 'application/json'],
    ['*/*', 'application/json'],
  ])('for %s is %s', async (accept, type) => {
    const answer = await get({ accept });
    expect(answer.type).toBe(type);
    const { kind, apiVersion } = JSON.parse(answer.body);
    const isPlain = type === 'application/json';
    expect(kind).toBe(isPlain ? 'APIGroupList' : 'APIGroupDiscoveryList');
    expect(apiVersion).toBe(
      isPlain ? 'v1' : `apidiscovery.k8s.io/${type.includes('beta') ? 'v2beta1' : 'v2'}`,
    );
  });

  it('is not sent again to who has it', async () => {
    const accept = aggregated('v2');
    const { etag } = await get({ accept });
    expect(await get({ accept, 'if-none-match': etag })).toMatchObject({ code: 304, body: '' });
    expect(await get({ 'if-none-match': etag })).toMatchObject({ code: 200 });
    expect((await get({ accept }, '/api')).etag).not.toBe(etag);
  });
});
