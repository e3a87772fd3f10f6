import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseRegistries } from '../../../../agent/images/read-registries.ts';
import { parseReference } from '../../../../agent/images/reference.ts';
import { checkTrust } from '../../../../agent/images/trust.ts';
import { errorChain } from '../../../../base/error-chain.ts';
import { payloadOf, putSignatures, signed } from '../../../support/cosign.ts';
import { digestOf, refuse, serveRegistry, type TestRegistry } from '../../../support/registry.ts';
import { registryClients } from '../../../support/registry-clients.ts';

const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const clients = registryClients();
let registry: TestRegistry;
let directory: string;
let digest: string;
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'orc-trust-'));
  writeFileSync(join(directory, 'a.pub'), publicKey.export({ type: 'spki', format: 'pem' }));
  registry = await serveRegistry();
  registry.put('team/web:1', { layers: [] });
  digest = digestOf(registry.manifests.get('team/web:1')!.bytes);
});
afterEach(async () => {
  await clients.close();
  await registry.close();
  rmSync(directory, { recursive: true });
});

const check = (verdict: object) => {
  const name = `${registry.host}/team/web`;
  const rule = { repository: `${registry.host}/team/*`, ...verdict };
  const { policy } = parseRegistries('r.yaml', JSON.stringify({ policy: [rule] }));
  const client = clients.client(name, { network: { insecure: [registry.host] } });
  const reference = parseReference(name);
  return checkTrust({ policy, reference, digest, ...client }, new AbortController().signal);
};
const bySigner = () => check({ signedBy: [join(directory, 'a.pub')] });
const refusal = async (checking: Promise<unknown>) => {
  const error = await checking.catch((caught: unknown) => caught);
  expect(error).toMatchObject({ name: 'ImageError', reason: 'SignatureValidationFailed' });
  return errorChain(error).replaceAll(directory, 'DIR').replaceAll(registry.host, 'HOST');
};
const put = (...signatures: Parameters<typeof putSignatures>[2]) =>
  putSignatures(registry, { repository: 'team/web', digest }, signatures);
const good = () => signed(payloadOf(`${registry.host}/team/web`, digest), privateKey);

describe('an image', () => {
  it('that is signed is let in, in the name of the key', async () => {
    put(good());
    const der = publicKey.export({ type: 'spki', format: 'der' });
    expect(await bySigner()).toBe(digestOf(der));
  });

  it('that may be anybody’s is not looked at', async () => {
    expect(await check({ accept: true })).toBeUndefined();
    expect(registry.requests).toEqual([]);
  });

  it('that nobody may have is refused, by the line that says so', async () => {
    expect(await refusal(check({ reject: true }))).toBe(
      `HOST/team/web@${digest} is refused by r.yaml:1 ("HOST/team/*"): none of these images may be pulled`,
    );
  });

  it('without signatures is refused', async () => {
    expect(await refusal(bySigner())).toMatch(/"HOST\/team\/\*"\): it has no signatures$/);
  });

  it('that was signed for another repository is refused', async () => {
    put(signed(payloadOf(`${registry.host}/team/other`, digest), privateKey));
    expect(await refusal(bySigner())).toMatch(
      /: DIR\/a\.pub signed it as another repository, HOST\/team\/other$/,
    );
  });

  it('whose registry fails meanwhile is refused for now, in its words', async () => {
    registry.instead(/./, (_, r) => refuse(r, 500, { code: 'NO', message: 'why' }), 99);
    expect(await refusal(bySigner())).toMatch(
      /: its signatures can't be read: registry HOST answered 500 NO why for team\/web$/,
    );
  });
});

describe('signatures', () => {
  const tag = () => `team/web:${digest.replace(':', '-')}.sig`;
  const change = (edit: (manifest: { layers: Record<string, unknown>[] }) => void) => {
    const { mediaType, bytes } = registry.manifests.get(tag())!;
    const manifest = JSON.parse(bytes.toString());
    edit(manifest);
    registry.manifests.set(tag(), { mediaType, bytes: Buffer.from(JSON.stringify(manifest)) });
  };

  it('are looked for among other things', async () => {
    put(good(), good());
    change(({ layers }) => {
      layers[0]!.mediaType = 'application/vnd.dsse.envelope.v1+json';
      layers.unshift({ ...layers[1], annotations: undefined });
    });
    expect(await bySigner()).toBeDefined();
  });

  it.each([
    ['too many', 'more than 100', (l: object[]) => l.push(...Array(100).fill(l[0]))],
    ['too big', 'more than 65536', (l: object[]) => Object.assign(l[0]!, { size: 65_537 })],
    [
      'longer than they say',
      'sent more than 10',
      (l: object[]) => Object.assign(l[0]!, { size: 10 }),
    ],
    [
      'no list',
      'signatures is not a list',
      (_: object[], all: object) => Object.assign(all, { layers: 1 }),
    ],
  ])('that are %s are not read', async (_, why, edit) => {
    put(good());
    change((manifest) => void edit(manifest.layers, manifest));
    const said = await refusal(bySigner());
    expect(said).toContain("its signatures can't be read");
    expect(said).toContain(why);
  });

  it('whose payload was changed are not read', async () => {
    const one = good();
    put(one);
    registry.blobs.set(digestOf(one.payload), Buffer.from(one.payload).fill('x', 3, 4));
    expect(await refusal(bySigner())).toContain('the registry sent sha256:');
  });
});
