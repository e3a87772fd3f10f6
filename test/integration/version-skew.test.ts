import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FastifyInstance } from 'fastify';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { encodeFrame, readFrames } from '../../agent/kernel/frames.ts';
import { connectShim, ShimLost } from '../../agent/kernel/shim-client.ts';
import { openLedger } from '../../agent/ledger/disk-ledger.ts';
import { openPodShims } from '../../agent/runtime/pod-shims.ts';
import { ConfigMap } from '../../api/config-map.ts';
import { AgentMessage, ControllerMessage } from '../../api/generated/agent.ts';
import { parseObject } from '../../api/prepare.ts';
import { silentLog } from '../../base/log.ts';
import { systemRng } from '../../base/rng.ts';
import { buildApiServer } from '../../controller/apiserver/api-server.ts';
import { frameType, limits, sizeOf } from '../../native/generated/binding.ts';
import { type ApiWorld, openApiWorld } from '../support/api-server.ts';

/** Parts of orc that are a version apart: docs/upgrade.md. */
let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'orc-skew-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

describe('a ledger', () => {
  const open = () =>
    openLedger({ dir, key: Buffer.alloc(32, 7), rng: systemRng(), log: silentLog });

  /** The files as they were written then, with `added` in each object that a later version may add fields to. */
  function write(added: object): void {
    mkdirSync(join(dir, 'pods'));
    const network = {
      ...writtenBy010.network,
      network: { ...writtenBy010.network.network, ...added },
    };
    writeFileSync(join(dir, 'network.json'), JSON.stringify({ ...network, ...added }));
    const pod = { ...writtenBy010.pod.pod, spec: { ...writtenBy010.pod.pod.spec, ...added } };
    writeFileSync(join(dir, 'pods/a.json'), JSON.stringify({ ...writtenBy010.pod, pod, ...added }));
  }

  it.each([
    ['that 0.1.0 wrote', {}],
    ['of a later version, with fields that nobody knows yet', { laterField: [{ deep: true }] }],
  ])('%s is read', async (_, added) => {
    write(added);
    const ledger = await open();
    expect(ledger.generation()).toEqual({ epoch: 1, revision: 4 });
    expect(ledger.network()).toMatchObject(writtenBy010.network.network);
    const pod = ledger.pods().get('a');
    expect(pod?.pod).toMatchObject(writtenBy010.pod.pod);
    expect(pod?.secrets.get('token')?.data).toEqual({ password: 'aHVudGVyMg==' });
    expect(pod?.userNamespace).toEqual({ firstId: 1_048_576, size: 65_536 });
  });
});

describe('a shim of another version', () => {
  interface Speaks {
    readonly version: number;
    readonly operations: number;
  }

  /** Says hello as such a one would, knows of a container, and refuses lists of operations. */
  async function listen({ version, operations }: Speaks) {
    const hello = Buffer.alloc(sizeOf.hello);
    for (const [i, number] of [version, process.pid, operations].entries())
      hello.writeUInt32LE(number, 4 * i);
    const state = Buffer.alloc(sizeOf.state);
    state.write('web');
    const failure = Buffer.alloc(sizeOf.failure);
    failure.writeInt32LE(-1, 0);
    failure.writeInt32LE(22, 4);
    failure.write('decode', 8);
    const asked: number[] = [];
    const server = createServer((socket) => {
      socket.on('error', () => {});
      socket.write(encodeFrame(frameType.HELLO, 0, hello));
      readFrames(socket, ({ type, tag }) => {
        asked.push(type);
        if (type === frameType.LIST) socket.write(encodeFrame(frameType.DONE, tag, state));
        else socket.end(encodeFrame(frameType.FAILED, tag, failure));
      });
    });
    const run = join(dir, 'pods/a');
    mkdirSync(run, { recursive: true });
    await new Promise<void>((listening) => server.listen(join(run, 'shim.sock'), listening));
    const shims = openPodShims({ dataDir: dir, runDir: dir });
    return {
      asked,
      run,
      shims,
      async [Symbol.asyncDispose]() {
        shims.close();
        await new Promise<void>((end) => server.close(() => end()));
      },
    };
  }

  const { PROTOCOL, OPERATIONS } = limits;
  const request = { container: 'web', stdin: false, terminal: undefined };
  const exec = { ...request, ops: [{ op: 'exec', argv: ['true'], env: [] }] } as const;
  const inWords = 'exec in web: this pod runs under an earlier version of orc, which can’t';

  it.each([
    ['of protocol 2, which is asked for no list', { version: 2, operations: 0 }, false],
    ['that knows fewer operations', { version: PROTOCOL, operations: OPERATIONS - 1 }, true],
  ])('%s keeps its containers, and what it can’t is said in words', async (_, speaks, isAsked) => {
    await using old = await listen(speaks);
    const shim = await old.shims.get('a');
    expect(await shim?.list()).toMatchObject([{ container: 'web' }]);
    const started = (async () => (await shim!.exec(exec)).exited)();
    await expect(started).rejects.toThrow(inWords);
    expect(old.asked.includes(frameType.EXEC)).toBe(isAsked);
  });

  it.each([
    ['that knows more operations', { version: PROTOCOL, operations: OPERATIONS + 1 }],
    ['of a later protocol', { version: PROTOCOL + 1, operations: OPERATIONS + 1 }],
  ])('%s is listed, and speaks for itself', async (_, speaks) => {
    await using later = await listen(speaks);
    const shim = await later.shims.get('a');
    expect(await shim?.list()).toMatchObject([{ container: 'web' }]);
    const started = (async () => (await shim!.exec(exec)).exited)();
    await expect(started).rejects.toThrow('exec in web: decode: EINVAL');
  });

  it('from before protocol 2 counts as lost', async () => {
    await using shim = await listen({ version: 1, operations: 0 });
    const text = `the shim speaks protocol 1, not ${PROTOCOL}`;
    await expect(connectShim(shim.run)).rejects.toThrow(new ShimLost(text));
    expect(await shim.shims.get('a')).toBeUndefined();
  });
});

describe('a message', () => {
  /** Field 150, a string: no message has it. */
  const later = Buffer.from([0xb2, 0x09, 0x03, 0x6e, 0x65, 0x77]);
  const value = {
    podCidr: '10.244.0.0/22',
    clusterPodCidr: '10.244.0.0/14',
    serviceCidr: '10.96.0.0/16',
    dnsServiceIp: '10.96.0.10',
    clusterDomain: 'cluster.local',
    fenceEpoch: 3,
    leading: true,
  };
  const welcome: ControllerMessage = { message: { $case: 'welcome', value } };

  it('of a kind that this side doesn’t know is none', () => {
    expect(ControllerMessage.decode(later)).toEqual({ message: undefined });
    expect(AgentMessage.decode(later)).toEqual({ message: undefined });
  });

  it('with a field that this side doesn’t know is the same without it', () => {
    const bytes = Buffer.concat([ControllerMessage.encode(welcome).finish(), later]);
    expect(ControllerMessage.decode(bytes)).toEqual(welcome);
  });
});

describe('an object with a field of a later version', () => {
  let world: ApiWorld;
  let app: FastifyInstance;
  const url = '/api/v1/namespaces/default/configmaps/settings';
  beforeEach(async () => {
    world = await openApiWorld();
    app = buildApiServer(world.deps).app;
    const parsed = parseObject(
      ConfigMap,
      { metadata: { name: 'settings' }, data: { a: '1' } },
      { namespace: 'default' },
    );
    if ('errors' in parsed) throw new Error(JSON.stringify(parsed.errors));
    await world.objects.create(ConfigMap, { ...parsed.object, laterField: 'x' } as ConfigMap);
  });
  afterEach(async () => {
    await app.close();
    await world.close();
  });

  it('is served, with the field', async () => {
    const { body } = await app.inject({ method: 'GET', url });
    expect(JSON.parse(body)).toMatchObject({ data: { a: '1' }, laterField: 'x' });
  });

  const patch = (change: object) =>
    app.inject({
      method: 'PATCH',
      url,
      headers: { 'content-type': 'application/merge-patch+json' },
      payload: JSON.stringify(change),
    });

  it('is changed by nobody who would lose it: the field is named, and has to go first', async () => {
    const refused = await patch({ data: { a: '2' } });
    expect(refused.statusCode).toBe(422);
    expect(refused.body).toContain('laterField');
    expect((await patch({ data: { a: '2' }, laterField: null })).statusCode).toBe(200);
    expect((await patch({ data: { a: '3' } })).statusCode).toBe(200);
  });
});

const writtenBy010 = {
  network: {
    generation: { epoch: 1, revision: 4 },
    network: {
      podCidr: '10.244.0.0/22',
      clusterPodCidr: '10.244.0.0/14',
      serviceCidr: '10.96.0.0/16',
      clusterDomain: 'cluster.local',
      dnsServiceIp: '10.96.0.10',
      nodes: [],
      services: [],
    },
  },
  pod: {
    uid: 'a',
    generation: { epoch: 1, revision: 4 },
    pod: {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: {
        name: 'web',
        namespace: 'default',
        uid: 'a',
        resourceVersion: '1',
        creationTimestamp: '2026-01-01T00:00:00Z',
      },
      spec: {
        containers: [{ name: 'web', image: 'web:1', resources: {} }],
        nodeName: 'host1',
        restartPolicy: 'Always',
        hostUsers: false,
      },
      status: { phase: 'Pending', qosClass: 'BestEffort' },
    },
    configMaps: [],
    secrets:
      'VwpKV/kr2NWqtpwwWXP/R3dEDLDIhNBebUb8NV4qwKsM1qIHJLNXzXAx900jCL2Oxb0t58a1S9M+Wugzvd1AcWxD64dlVeGUNnFAEPXdhwlgbHtpW50zkV7UFzb3kjuoiq62HBW1ZBiQIGEbuaqFqKrYNkdfIVn6f6Q7v667eN6PKnMc8eabDPBbxYG7dadRxF2IlX20dJsv0swCVPrWc2K7Uhuf/ZmnR6WAslG1k6olicBfyUgqz35SiwheiVKqY/OMNgAf3BWq84O50kd/sStA0cXTHwZnO9D2QFPJ0pxKMfm2MDNZ9cQeKz8OR3HzPw==',
    userNamespace: { firstId: 1_048_576, size: 65_536 },
  },
};
