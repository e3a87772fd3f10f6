import { afterEach, beforeEach, expect, it } from 'vitest';
import type { AttachRequest, NetworkPort, NetworkTable } from '../../agent/ports.ts';

export interface NetworkSubject {
  readonly network: NetworkPort;
  /** A new pod's request: with a network namespace of its own. */
  sandbox(uid: string): Promise<AttachRequest>;
  close(): Promise<void>;
}

/** Of one node, with room for five pods. */
export const smallTable: NetworkTable = {
  podCidr: '10.244.4.0/29',
  clusterPodCidr: '10.244.0.0/14',
  serviceCidr: '10.96.0.0/16',
  clusterDomain: 'cluster.local',
  dnsServiceIp: '10.96.0.10',
  nodes: [],
  services: [
    {
      namespace: 'default',
      name: 'web',
      clusterIp: '10.96.0.20',
      sessionAffinityMs: undefined,
      ports: [
        {
          name: 'http',
          protocol: 'TCP',
          port: 80,
          nodePort: 30_080,
          endpoints: [{ ip: '10.244.4.2', port: 8080 }],
        },
      ],
      addresses: [{ ip: '10.244.4.2', hostname: undefined }],
      externalName: undefined,
    },
  ],
};

/** What every NetworkPort does. `open` is called for each test. */
export function networkPortContract(open: () => Promise<NetworkSubject>): void {
  let subject: NetworkSubject;
  beforeEach(async () => {
    subject = await open();
  });
  afterEach(() => subject.close());
  const attach = async (uid: string) => subject.network.attach(await subject.sandbox(uid));

  it('connects no pod before the first table', async () => {
    await expect(attach('a')).rejects.toMatchObject({ reason: 'NetworkNotReady' });
    expect(await subject.network.list()).toEqual([]);
  });

  it('gives every pod an address of its own, and the same one again', async () => {
    await subject.network.apply(smallTable);
    const request = await subject.sandbox('a');
    expect(await subject.network.attach(request)).toEqual({ uid: 'a', podIp: '10.244.4.2' });
    expect(await attach('b')).toEqual({ uid: 'b', podIp: '10.244.4.3' });
    expect(await subject.network.attach(request)).toEqual({ uid: 'a', podIp: '10.244.4.2' });
  });

  it('gives a pod whose sandbox was made anew the same address', async () => {
    await subject.network.apply(smallTable);
    const before = await attach('a');
    expect(await attach('a')).toEqual(before);
  });

  it('finds and lists the pods that hold an address, until they are detached', async () => {
    await subject.network.apply(smallTable);
    const [a, b] = [await attach('a'), await attach('b')];
    expect(await subject.network.list()).toEqual([a, b]);
    expect(await subject.network.find('a')).toEqual(a);
    await subject.network.detach('a');
    expect(await subject.network.find('a')).toBeUndefined();
    expect(await subject.network.list()).toEqual([b]);
  });

  it('detaches a pod that is detached, or was never there, without complaint', async () => {
    await subject.network.apply(smallTable);
    await attach('a');
    for (const uid of ['a', 'a', 'never']) await subject.network.detach(uid);
    expect(await subject.network.list()).toEqual([]);
  });

  it('says when the addresses have run out, and goes on when one is free again', async () => {
    await subject.network.apply(smallTable);
    for (const uid of ['a', 'b', 'c', 'd', 'e']) await attach(uid);
    await expect(attach('f')).rejects.toMatchObject({ reason: 'NoFreeAddress' });
    await subject.network.detach('c');
    expect(await attach('f')).toEqual({ uid: 'f', podIp: '10.244.4.4' });
  });

  it('refuses a table that makes no sense, and keeps the one before', async () => {
    await subject.network.apply(smallTable);
    const broken = { ...smallTable, podCidr: '10.244.4.0' };
    await expect(subject.network.apply(broken)).rejects.toMatchObject({ reason: 'InvalidTable' });
    expect(await attach('a')).toEqual({ uid: 'a', podIp: '10.244.4.2' });
  });

  it('takes a table again, and another', async () => {
    await subject.network.apply(smallTable);
    await subject.network.apply(smallTable);
    await subject.network.apply({ ...smallTable, services: [] });
  });
}
