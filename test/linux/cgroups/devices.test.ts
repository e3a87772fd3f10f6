import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmdirSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { parseMountinfo } from '../../../agent/kernel/mountinfo.ts';
import type { OciResources } from '../../../agent/oci/oci-spec.ts';
import { planCgroup } from '../../../agent/oci/plan-cgroup.ts';
import { attachDeviceProgram } from '../../../native/bpf.ts';
import { type CgroupWorld, openCgroupWorld } from '../../support/cgroup-world.ts';
import { ordinarySecurity } from '../../support/container-spec.ts';
import { openRuntimeHost, type RuntimeHost } from '../../support/runtime-host.ts';

type Rules = NonNullable<OciResources['devices']>;

/** What a process in a group may do with devices: tries each, and says which it could. */
const tries = {
  null: 'true </dev/null >/dev/null',
  zero: 'head -c1 /dev/zero >/dev/null',
  'read kmsg': 'true </dev/kmsg',
  'write kmsg': 'true >>/dev/kmsg',
  'read loop0': 'true </dev/loop0',
} as const;
const script = Object.entries(tries)
  .map(([name, attempt]) => `if (${attempt}) 2>/dev/null; then echo '${name}'; fi`)
  .join('; ');
const possible = (names: readonly (keyof typeof tries)[]) => names.join('\n');
const everything = Object.keys(tries) as (keyof typeof tries)[];

const rows: readonly [string, Rules, readonly (keyof typeof tries)[]][] = [
  ['the default ones without any rule', [], ['null', 'zero']],
  ['the default ones, whatever is denied', [{ allow: false, access: 'rwm' }], ['null', 'zero']],
  ['all of them, if all are allowed', [{ allow: true }], everything],
  [
    'one more, for reading',
    [{ allow: false }, { allow: true, type: 'c', major: 1, minor: 11, access: 'r' }],
    ['null', 'zero', 'read kmsg'],
  ],
  [
    'one more, for reading and for writing by two rules',
    [
      { allow: true, type: 'c', major: 1, minor: 11, access: 'r' },
      { allow: true, type: 'c', major: 1, minor: 11, access: 'w' },
    ],
    ['null', 'zero', 'read kmsg', 'write kmsg'],
  ],
  ['a whole type', [{ allow: true, type: 'b' }], ['null', 'zero', 'read loop0']],
  [
    'all but a type',
    [{ allow: true }, { allow: false, type: 'b', access: 'r' }],
    ['null', 'zero', 'read kmsg', 'write kmsg'],
  ],
  ['a major number', [{ allow: true, major: 7 }], ['null', 'zero', 'read loop0']],
];

it('everything that is tried here can be done outside', () => {
  expect(spawnSync('sh', ['-c', script], { encoding: 'utf8' }).stdout.trim()).toBe(
    possible(everything),
  );
});

describe('the list of version 1, or the program of version 2', () => {
  let world: CgroupWorld;
  beforeAll(async () => {
    world = await openCgroupWorld();
  });
  afterAll(() => world.end());

  it.each(rows)('leaves a group %s', async (_, devices, names) => {
    await world.ensure('devices', { devices });
    expect(await world.run('devices', script)).toBe(possible(names));
  });
});

const unified = parseMountinfo(readFileSync('/proc/self/mountinfo', 'utf8')).find(
  ({ fstype }) => fstype === 'cgroup2',
)?.mount;

describe.runIf(unified !== undefined)('the program in the unified tree', () => {
  const group = `${unified}/orc-test-devices-${process.pid}`;
  beforeEach(() => mkdirSync(group));
  afterEach(() => rmdirSync(group));

  const attach = (devices: Rules) => {
    const { deviceFilter } = planCgroup({ devices }, 2);
    if (deviceFilter) attachDeviceProgram(group, deviceFilter);
  };
  const run = (what: string) =>
    spawnSync('sh', ['-c', `echo 0 > ${group}/cgroup.procs; ${what}`], { encoding: 'utf8' });

  it.each(rows)('leaves a group %s', (_, devices, names) => {
    attach(devices);
    expect(run(script).stdout.trim()).toBe(possible(names));
  });

  it('takes the last rule for each kind of access, also for exceptions of exceptions', () => {
    attach([
      { allow: true, type: 'c', major: 1 },
      { allow: false, type: 'c', major: 1, minor: 11, access: 'w' },
    ]);
    expect(run(script).stdout.trim()).toBe(possible(['null', 'zero', 'read kmsg']));
  });

  it('is replaced by the next one', () => {
    attach([{ allow: true }]);
    expect(run(script).stdout.trim()).toBe(possible(everything));
    attach([]);
    expect(run(script).stdout.trim()).toBe(possible(['null', 'zero']));
  });

  it('says what the kernel thinks of a program that is none', () => {
    expect(() => attachDeviceProgram(group, Buffer.alloc(16))).toThrow('bpf BPF_PROG_LOAD: EINVAL');
    expect(() => attachDeviceProgram('/tmp', planCgroup({ devices: [] }, 2).deviceFilter!)).toThrow(
      'bpf BPF_PROG_ATTACH: EBADF',
    );
  });
});

describe('a container with the host’s user ids and the right to make nodes', () => {
  let host: RuntimeHost;
  beforeAll(async () => {
    host = await openRuntimeHost();
    await host.sandbox({ userNamespace: undefined });
  });
  afterAll(() => host.end());

  const open = [
    'mkdir -p /mnt && mount -t tmpfs nodes /mnt && mknod /mnt/kmsg c 1 11 && mknod /mnt/loop b 7 0',
    'mknod /mnt/zero c 1 5 && head -c1 /mnt/zero | wc -c',
    'for node in kmsg loop; do if (true </mnt/$node) 2>/dev/null; then echo opens $node; fi; done',
  ].join(' && ');
  const security = {
    ...ordinarySecurity,
    capabilitiesAdd: ['MKNOD', 'SYS_ADMIN'],
    seccomp: 'Unconfined',
  } as const;

  it('makes them and opens none of the host’s', async () => {
    expect((await host.run(open, { security })).output).toEqual(['1']);
  });

  it('opens them when privileged, so that it is the rules that keep others off', async () => {
    const privileged = { ...security, privileged: true };
    const { output } = await host.run(open, { security: privileged });
    expect(output).toEqual(['1', 'opens kmsg', 'opens loop']);
  });
});
