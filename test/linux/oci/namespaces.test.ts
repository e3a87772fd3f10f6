import { execFileSync } from 'node:child_process';
import { readFileSync, readlinkSync, statSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { OciNamespaceType, OciSpec } from '../../../agent/oci/oci-spec.ts';
import { makeNetns, type Netns } from '../../support/netns.ts';
import { type OciBox, type Over, openOciBox, type Started } from '../../support/oci-box.ts';

let box: OciBox;
beforeAll(async () => {
  box = await openOciBox();
});
afterAll(() => box?.end());

const all = ['mount', 'pid', 'network', 'ipc', 'uts', 'cgroup'] as const;
type Spaces = NonNullable<OciSpec['linux']>['namespaces'];
const fresh = (...types: readonly OciNamespaceType[]): NonNullable<Spaces> =>
  types.map((type) => ({ type }));
const onlyProc = {
  mounts: [
    { type: 'proc', destination: '/proc' },
    { type: 'tmpfs', destination: '/dev' },
  ],
};
const files = {
  ...{ pid: 'pid', network: 'net', mount: 'mnt', ipc: 'ipc' },
  ...{ uts: 'uts', user: 'user', cgroup: 'cgroup', time: 'time' },
};
const spaceOf = (pid: number, type: OciNamespaceType) =>
  readlinkSync(`/proc/${pid}/ns/${files[type]}`);

const ids = [
  { containerID: 0, hostID: 1_000_000, size: 1000 },
  { containerID: 1000, hostID: 2_000_000, size: 5 },
];

async function whileRunning<T>(over: Over, look: (started: Started) => T | Promise<T>): Promise<T> {
  const started = await box.start('exec sleep 1000', over);
  try {
    return await look(started);
  } finally {
    await started.stop();
  }
}

describe('linux.namespaces:', () => {
  const kinds: readonly OciNamespaceType[] = [...all, 'user', 'time'];
  it.each(kinds)(
    'a new %s namespace is another than the host’s, the others are the host’s',
    async (type) => {
      const linux = {
        namespaces: fresh(...new Set<OciNamespaceType>(['mount', type])),
        ...(type === 'user' && { uidMappings: ids, gidMappings: ids }),
      };
      const spec = onlyProc;
      await whileRunning({ linux, spec }, ({ pid }) => {
        const own = kinds.filter((each) => spaceOf(pid, each) !== spaceOf(box.shim.pid, each));
        expect(own.toSorted()).toEqual([...new Set(['mount', type])].toSorted());
      });
    },
  );

  it.each(['network', 'ipc', 'uts', 'user', 'pid', 'cgroup', 'time'] as const)(
    'a %s namespace by its path is joined, by a process beside it too',
    async (type) => {
      const maps = type === 'user' ? { uidMappings: ids, gidMappings: ids } : {};
      const linux = { ...maps, namespaces: fresh('mount', type) };
      const spec = onlyProc;
      await whileRunning({ linux, spec }, async (first) => {
        const path = `/proc/${first.pid}/ns/${files[type]}`;
        const namespaces = [{ type: 'mount' as const }, { type, path }];
        await whileRunning({ linux: { ...maps, namespaces }, spec }, async (second) => {
          const show = `readlink /proc/self/ns/${files[type]}`;
          expect(spaceOf(second.pid, type)).toBe(spaceOf(first.pid, type));
          expect(await second.exec(show)).toEqual([spaceOf(first.pid, type)]);
        });
      });
    },
  );

  it('a path of another type is refused', async () => {
    const namespaces = [
      { type: 'mount' as const },
      { type: 'network' as const, path: '/proc/self/ns/uts' },
    ];
    await expect(box.run('true', { linux: { namespaces } })).rejects.toMatchObject({
      code: 'EINVAL',
    });
  });

  it('with a pid namespace its process is the first in it', async () => {
    expect(await box.run('echo $$; ls -d /proc/[0-9]*')).toEqual(['1', '/proc/1']);
  });

  it('a new network has a loopback that is up, and nothing else', async () => {
    expect(await box.run('ls /sys/class/net; ip -o -4 addr')).toEqual([
      'lo',
      expect.stringMatching(/^1: lo +inet 127.0.0.1\/8/),
    ]);
  });
});

it('linux.uidMappings, linux.gidMappings: several ranges, the same inside and outside', async () => {
  const linux = { namespaces: fresh(...all, 'user'), uidMappings: ids, gidMappings: ids };
  const process = { user: { uid: 1002, gid: 7 } };
  await whileRunning({ linux, process }, async (started) => {
    const { uid, gid } = statSync(`/proc/${started.pid}`);
    expect([uid, gid]).toEqual([2_000_002, 1_000_007]);
    const map = ['0 1000000 1000', '1000 2000000 5'];
    const tidy = (lines: readonly string[]) =>
      lines.map((line) => line.trim().replaceAll(/ +/g, ' '));
    expect(tidy(await started.exec('cat /proc/self/gid_map'))).toEqual(map);
    expect(tidy(readFileSync(`/proc/${started.pid}/uid_map`, 'utf8').trim().split('\n'))).toEqual(
      map,
    );
    expect(await started.exec('id -u; stat -c %u /dev/null /dev/shm')).toEqual(['1002', '0', '0']);
  });
  const tooHigh = { user: { uid: 1005, gid: 0 } };
  await expect(box.run('true', { linux, process: tooHigh })).rejects.toMatchObject({
    code: 'EINVAL',
  });
});

it('hostname, domainname: of the container’s uts namespace', async () => {
  const before = execFileSync('hostname', { encoding: 'utf8' });
  const spec = { hostname: 'shop', domainname: 'example.org' };
  const script = 'hostname; cat /proc/sys/kernel/domainname';
  expect(await box.run(script, { spec })).toEqual(['shop', 'example.org']);
  expect(execFileSync('hostname', { encoding: 'utf8' })).toBe(before);
  await expect(
    box.run('true', { spec, linux: { namespaces: fresh('mount') } }),
  ).rejects.toMatchObject({ field: 'hostname' });
});

describe('linux.sysctl:', () => {
  it('of the container’s own namespaces', async () => {
    const before = readFileSync('/proc/sys/kernel/msgmax', 'utf8');
    const sysctl = {
      'net.ipv4.ip_forward': '1',
      'net/ipv4/conf/lo/rp_filter': '2',
      'kernel.msgmax': '12345',
      'fs.mqueue.msg_max': '7',
      'kernel.domainname': 'example.org',
    };
    const script =
      'cd /proc/sys; cat net/ipv4/ip_forward net/ipv4/conf/lo/rp_filter kernel/msgmax fs/mqueue/msg_max kernel/domainname';
    expect(await box.run(script, { linux: { sysctl } })).toEqual([
      '1',
      '2',
      '12345',
      '7',
      'example.org',
    ]);
    expect(readFileSync('/proc/sys/kernel/msgmax', 'utf8')).toBe(before);
  });

  it('not of the host, nor by a name that leads there', async () => {
    const names = [
      'kernel.core_pattern',
      'vm.swappiness',
      'net/../kernel/core_pattern',
      'net.+=x',
      'kernel.hostname',
    ];
    for (const name of names)
      await expect(box.run('true', { linux: { sysctl: { [name]: '1' } } })).rejects.toMatchObject({
        field: `linux.sysctl[${name}]`,
      });
    const linux = {
      sysctl: { 'net.ipv4.ip_forward': '1' },
      namespaces: fresh('mount', 'pid', 'ipc', 'uts'),
    };
    await expect(box.run('true', { linux })).rejects.toMatchObject({ name: 'OciError' });
  });
});

it('linux.timeOffsets: clocks go ahead, of a process beside it too', async () => {
  const timeOffsets = {
    monotonic: { secs: 7_000_000, nanosecs: 5 },
    boottime: { secs: 9_000_000 },
  };
  const linux = { namespaces: fresh(...all, 'time'), timeOffsets };
  await whileRunning({ linux }, async (started) => {
    const [uptime = ''] = await started.exec('cut -d. -f1 /proc/uptime');
    const own = Number(readFileSync('/proc/uptime', 'utf8').split('.')[0]);
    expect(Number(uptime) - own).toBeGreaterThanOrEqual(9_000_000);
    expect(Number(uptime) - own).toBeLessThan(9_000_100);
    const shown = readFileSync(`/proc/${started.pid}/timens_offsets`, 'utf8');
    expect(shown.replaceAll(/ +/g, ' ')).toMatch(/monotonic 7000000 5\n *boottime 9000000 0/);
  });
});

describe('linux.netDevices:', () => {
  it('move into the container with their addresses, by another name if asked', async () => {
    const outside = await makeNetns();
    const inside = await makeNetns();
    try {
      outside.run('ip', 'link', 'add', 'veth7', 'type', 'veth', 'peer', 'name', 'stays');
      for (const address of ['192.0.2.7/24', '192.0.2.8/32'])
        outside.run('ip', 'address', 'add', address, 'dev', 'veth7');
      const index = indexOf(outside, 'veth7');
      const addresses = [
        { address: '192.0.2.7', prefix: 24 },
        { address: '192.0.2.8', prefix: 32 },
      ];
      const lines = await box.run('ip -o -4 addr show dev eth7; cat /sys/class/net/eth7/flags', {
        before: [
          { op: 'open-space', namespace: 'network', path: outside.path },
          { op: 'join', namespace: 'network' },
        ],
        linux: {
          namespaces: [...fresh('mount', 'pid', 'uts'), { type: 'network', path: inside.path }],
          netDevices: { veth7: { name: 'eth7' } },
        },
        place: { links: { veth7: { index, addresses } } },
      });
      expect(lines).toEqual([
        expect.stringContaining('inet 192.0.2.7/24 scope global eth7'),
        expect.stringContaining('inet 192.0.2.8/32 scope global eth7'),
        '0x1003',
      ]);
      expect(outside.run('ip', '-o', 'link')).not.toMatch(/veth7/);
      expect(inside.run('ip', '-o', 'link')).toMatch(/eth7/);
    } finally {
      await outside.end();
      await inside.end();
    }
  });

  it('that aren’t there, or have no namespace to go to, are named', async () => {
    const linux = { netDevices: { nothing: {} } };
    const field = 'linux.netDevices[nothing]';
    await expect(box.run('true', { linux })).rejects.toMatchObject({ field });
    const shared = { ...linux, namespaces: fresh('mount') };
    await expect(box.run('true', { linux: shared })).rejects.toMatchObject({ field });
  });
});

const indexOf = (netns: Netns, name: string) =>
  Number(netns.run('ip', '-o', 'link', 'show', name).split(':')[0]);
