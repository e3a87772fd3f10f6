import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { authenticate } from '../../../../controller/auth/authenticate.ts';
import { findKubectls, runKubectl } from '../../../support/kubectl.ts';
import { openTlsWorld, type TlsWorld } from '../../../support/tls-world.ts';

/** `kubectl create KIND` sends Protobuf since 1.32, and JSON before: what is stored must not tell. */
const kubectls = findKubectls();

let world: TlsWorld;
/** Of the requests since the last look. */
let contentTypes = new Set<string | undefined>();

beforeAll(async () => {
  world = await openTlsWorld({
    authenticate(request) {
      if (request.method === 'POST') contentTypes.add(request.headers['content-type']);
      return authenticate(request.socket as TLSSocket);
    },
  });
});

afterAll(() => world.close());

it.skipIf(kubectls.length === 0)('needs a kubectl.1.x in PATH or in KUBECTL_DIR', () => {
  expect(kubectls.map(({ version }) => version)).not.toEqual([]);
});

/** Of each object that was made, but for what is never the same twice. */
async function createdBy(kubectl: (typeof kubectls)[number], binary: string) {
  const cacheDir = join(world.dir, kubectl.version);
  const namespace = `v${kubectl.version.replace('.', '-')}`;
  const run = async (args: string) => {
    const options = { kubeconfig: world.kubeconfig, cacheDir };
    const { code, out, err } = await runKubectl(kubectl, args.split(' '), options);
    expect({ args, code, err }).toEqual({ args, code: 0, err: '' });
    return out;
  };
  const create = async (args: string) => {
    const json = await run(`create ${args} -o json -n ${namespace}`);
    const { metadata, ...rest } = JSON.parse(
      json.replaceAll(namespace, 'NAMESPACE').replaceAll(/10\.96\.\d+\.\d+/g, 'ADDRESS'),
    );
    const { name, namespace: within, labels } = metadata;
    return { ...rest, metadata: { name, namespace: within, labels } };
  };
  return [
    await create(`namespace ${namespace}`),
    await create('deployment web --image=web:1 --port=80 --replicas=0'),
    await create(`configmap files --from-file=${binary} --from-literal=a=ä`),
    await create('secret generic keys --from-literal=password=geheim'),
    await create('secret docker-registry login --docker-username=u --docker-password=p'),
    await create('service clusterip web --tcp=80:8080 --clusterip=None'),
    await create('service nodeport open --tcp=443 --node-port=30443 --dry-run=server'),
    await create('service externalname far --external-name=example.org'),
  ];
}

describe.runIf(kubectls.length > 1)('kubectl create', () => {
  it('makes the same of Protobuf as of JSON', async () => {
    const binary = join(world.dir, 'binary');
    await writeFile(binary, Buffer.concat([Buffer.from([0xff, 0, 0xfe]), randomBytes(200)]));
    const some = kubectls.filter(({ version }) => ['1.31', '1.32', '1.33'].includes(version));
    const made = [];
    for (const kubectl of some) {
      contentTypes = new Set();
      const objects = await createdBy(kubectl, binary);
      made.push({ objects, contentTypes: [...contentTypes] });
    }
    const objects = made[0]?.objects;
    const protobuf = ['application/vnd.kubernetes.protobuf'];
    expect(made).toEqual([
      { objects, contentTypes: ['application/json'] },
      { objects, contentTypes: protobuf },
      { objects, contentTypes: protobuf },
    ]);
  });
});
