import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { noLimits, ordinarySecurity } from '../../support/container-spec.ts';
import { openRuntimeHost, type RuntimeHost } from '../../support/runtime-host.ts';
import { waitFor } from '../../support/wait-for.ts';

const firstId = 1_000_000_000;
const modules = '/sys/kernel/security/lsm';
const hasAppArmor = existsSync(modules) && readFileSync(modules, 'utf8').includes('apparmor');
let host: RuntimeHost;
beforeAll(async () => {
  host = await openRuntimeHost();
  await host.sandbox({ hostname: 'shop', hosts: '127.0.0.1 localhost here\n' });
});
afterAll(() => host.end());

/** A layer with a program that makes the system calls it is given, without arguments, and prints their errors. */
function buildProbe(layer: string): string {
  mkdirSync(layer);
  writeFileSync(
    `${layer}/probe.c`,
    `#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
int main(int argc, char **argv) {
  for (int i = 1; i < argc; i++) {
    long result = syscall(atoi(argv[i]), 0L, 0L, 0L, 0L, 0L, 0L);
    const char *name = errno == EPERM ? "EPERM" : errno == ENOSYS ? "ENOSYS" : "other";
    printf("%s %s\\n", argv[i], result < 0 ? name : "allowed");
  }
}`,
  );
  execFileSync('gcc', ['-static', '-o', `${layer}/probe`, `${layer}/probe.c`]);
  return layer;
}

const output = async (...args: Parameters<RuntimeHost['run']>) => (await host.run(...args)).output;
const security = (over: Partial<typeof ordinarySecurity>) => ({
  security: { ...ordinarySecurity, ...over },
});

describe('a container', () => {
  it('is root inside and nobody outside', async () => {
    const id = { uid: 'a', name: 'idle', attempt: 0 };
    await host.runtime.containers.start(
      host.spec('id -u; exec sleep 1000', { id, logPath: `${host.dir}/logs/default_x_a/idle.log` }),
      new AbortController().signal,
    );
    const running = await host.state('idle');
    const pid = running?.pid ?? 0;
    expect(statSync(`/proc/${pid}`).uid).toBe(firstId);
    for (const namespace of ['user', 'net', 'ipc', 'uts', 'mnt', 'pid', 'cgroup'])
      expect(readlinkSync(`/proc/${pid}/ns/${namespace}`)).not.toBe(
        readlinkSync(`/proc/self/ns/${namespace}`),
      );
    expect(readFileSync(`/proc/${pid}/uid_map`, 'utf8').trim().split(/\s+/)).toEqual([
      '0',
      String(firstId),
      '65536',
    ]);
    await host.runtime.containers.kill(id, 9);
    await waitFor('its end', async () => (await host.state('idle'))?.state === 'exited');
  });

  it('keeps its image and its log until it is removed, and tells what it uses', async () => {
    const id = { uid: 'a', name: 'spin', attempt: 3 };
    const logPath = `${host.dir}/logs/default_x_a/spin/3.log`;
    const spec = host.spec('echo hi; while :; do :; done', { id, logPath });
    await host.runtime.containers.start(spec, new AbortController().signal);
    const own = async () => (await host.runtime.usages()).find((usage) => usage.id.name === 'spin');
    const used = await waitFor('a measured cpu', async () => {
      const usage = await own();
      return (usage?.cpuNs ?? 0) > 50_000_000 && usage;
    });
    expect(used.id).toEqual(id);
    expect(used.memoryBytes).toBeGreaterThan(10_000);
    expect(await host.runtime.imagesInUse()).toContain(spec.image.id);
    await host.runtime.containers.kill(id, 9);
    await waitFor('its end', async () => (await host.state('spin', 3))?.state === 'exited');
    for (const rotated of ['3.log.1', '31.log'])
      writeFileSync(`${host.dir}/logs/default_x_a/spin/${rotated}`, '');
    await host.runtime.containers.remove(id);
    expect(readdirSync(`${host.dir}/logs/default_x_a/spin`)).toEqual(['31.log']);
    expect(await own()).toBeUndefined();
  });

  it('is process 1 and sees only its own processes', async () => {
    expect(await output('echo $$; set -- /proc/[0-9]*; echo $*')).toEqual(['1', '/proc/1']);
  });

  it('sees the processes of the one beside which it is, and is seen by it', async () => {
    const target = { uid: 'a', name: 'target', attempt: 0 };
    const logPath = `${host.dir}/logs/default_x_a/target.log`;
    const spec = host.spec('exec sleep 1001', { id: target, logPath });
    await host.runtime.containers.start(spec, new AbortController().signal);
    const look = 'tr "\\0" " " < /proc/1/cmdline; echo; [ $$ -gt 1 ] && echo beside; sleep 1002 &';
    expect(await output(look, { besides: target })).toEqual(['sleep 1001 ', 'beside']);
    const seen = await host.runtime.containers.exec(target, {
      ...{ command: ['ps', '-o', 'args'], stdin: false, terminal: undefined },
    });
    let list = '';
    seen.onOutput((_, chunk) => (list += chunk));
    await seen.exited;
    expect(list).toMatch(/sleep 1001\nsleep 1002\n/);
    await host.runtime.containers.kill(target, 9);
  });

  it('leaves a last message, of which the end counts', async () => {
    const { container } = await host.run('echo no database > /dev/termination-log; exit 3');
    expect(container.exit).toMatchObject({ exitCode: 3, message: 'no database\n' });
    const long = await host.run('seq 1 9999 > /dev/termination-log');
    expect(long.container.exit?.message).toMatch(/\n9999\n$/);
    expect(long.container.exit?.message).toHaveLength(4096);
  });

  it('can leave it without being root, on a root file system that it can’t write to', async () => {
    const { container } = await host.run(
      'echo mine > /dev/termination-log; chmod 600 /dev/termination-log; rm -f /dev/termination-log',
      security({ runAsUser: 33, readOnlyRootFilesystem: true }),
    );
    expect(container.exit?.message).toBe('mine\n');
  });

  it('has no message when it left none', async () => {
    const { container } = await host.run('true');
    expect(container.exit?.message).toBeUndefined();
  });

  it('has the pod’s name and files', async () => {
    const lines = await output('hostname; cat /etc/hostname /etc/hosts /etc/resolv.conf');
    expect(lines).toEqual(['shop', 'shop', '127.0.0.1 localhost here', 'nameserver 10.96.0.10']);
  });

  it('sees both layers, writes to neither, and owns what it wrote', async () => {
    const lines = await output(
      'grep -c . /etc/passwd; echo x > /etc/passwd; stat -c "%u %g" /etc/passwd /bin/busybox',
    );
    expect(lines).toEqual(['2', '0 0', '0 0']);
    expect(readFileSync(`${host.layers[1]}/etc/passwd`, 'utf8')).toMatch(/^root/);
    const containers = `${host.dir}/data/pods/a/containers`;
    const [written] = readdirSync(containers)
      .map((name) => `${containers}/${name}/upper/etc/passwd`)
      .filter((path) => statSync(path, { throwIfNoEntry: false }));
    expect(statSync(written ?? '').uid).toBe(firstId);
  });

  it('has nothing in a layer of its own before it writes', async () => {
    expect(existsSync(`${host.layers[0]}/etc/hosts`)).toBe(false);
    const { container, output: lines } = await host.run('cat /etc/hosts');
    expect(lines).toEqual(['127.0.0.1 localhost here']);
    const directory = `${host.dir}/data/pods/a/containers/web-${container.id.attempt}`;
    expect(readdirSync(`${directory}/upper`)).toEqual([]);
  });

  it('has the mounts of a container and nothing of the host', async () => {
    const lines = await output('cut -d" " -f2,3 /proc/mounts');
    const mounts = new Set(lines);
    for (const expected of [
      '/ overlay',
      '/proc proc',
      '/dev tmpfs',
      '/dev/pts devpts',
      '/dev/shm tmpfs',
      '/dev/mqueue mqueue',
      '/sys sysfs',
    ])
      expect(mounts).toContain(expected);
    expect(lines.filter((line) => line.includes(host.dir))).toEqual([]);
  });

  it('has the usual devices, and others open nothing', async () => {
    const lines = await output(
      'ls /dev; echo x > /dev/null && head -c 3 /dev/zero | wc -c; readlink /dev/fd; mknod /tmp/d b 8 0 2>&1; mknod /dev/d b 8 0 2>&1',
    );
    expect(lines).toEqual([
      ...[
        'fd',
        'full',
        'mqueue',
        'null',
        'ptmx',
        'pts',
        'random',
        'shm',
        'stderr',
        'stdin',
        'stdout',
        'termination-log',
        'tty',
        'urandom',
        'zero',
      ],
      '3',
      '/proc/self/fd',
      'mknod: /tmp/d: Operation not permitted',
      'mknod: /dev/d: Operation not permitted',
    ]);
  });

  it('can’t write what tells of the host', async () => {
    const lines = await output(
      'exec 2>&1; touch /sys/x; echo 1 > /proc/sys/kernel/core_pattern; echo b > /proc/sysrq-trigger; wc -c < /proc/keys; ls /sys/firmware | wc -l; touch /sys/fs/cgroup/memory/x',
    );
    expect(lines).toEqual([
      'touch: /sys/x: Read-only file system',
      expect.stringMatching(/core_pattern: Read-only file system/),
      expect.stringMatching(/sysrq-trigger: (Read-only file system|nonexistent)/),
      '0',
      '0',
      'touch: /sys/fs/cgroup/memory/x: Read-only file system',
    ]);
  });

  it('sees its own cgroup as the root, with its limits', async () => {
    const lines = await output(
      'grep -E ":(memory|pids|):?" /proc/self/cgroup | cut -d: -f3 | sort -u; cat /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null || cat /sys/fs/cgroup/memory.max',
      { resources: { ...noLimits, memoryLimitBytes: 33_554_432 } },
    );
    expect(lines).toContain('/');
    expect(lines.at(-1)).toBe('33554432');
  });

  it('has only its own loopback', async () => {
    expect(await output('ls /sys/class/net; ip -o addr show lo | head -1')).toEqual([
      'lo',
      expect.stringContaining('127.0.0.1/8'),
    ]);
  });

  it('shares /dev/shm with its pod', async () => {
    await host.run('echo hello > /dev/shm/x');
    expect(await output('cat /dev/shm/x; rm /dev/shm/x')).toEqual(['hello']);
  });
});

describe('rights', () => {
  const status = 'grep -E "^(Cap|NoNewPrivs|Seccomp:)" /proc/self/status | tr "\\t" " "';

  it('are the default ones, filtered', async () => {
    expect(await output(status)).toEqual([
      'CapInh: 0000000000000000',
      'CapPrm: 00000000a80425fb',
      'CapEff: 00000000a80425fb',
      'CapBnd: 00000000a80425fb',
      'CapAmb: 0000000000000000',
      'NoNewPrivs: 0',
      'Seccomp: 2',
    ]);
  });

  it('are none for an ordinary user, who is in his groups', async () => {
    const over = { runAsUser: 33, allowPrivilegeEscalation: false, capabilitiesDrop: ['ALL'] };
    const lines = await output(`${status}; id -u; id -g; id -G; pwd`, {
      ...security({ ...over, supplementalGroups: [7], fsGroup: 8 }),
      workingDir: '/tmp',
    });
    expect(lines).toEqual([
      'CapInh: 0000000000000000',
      'CapPrm: 0000000000000000',
      'CapEff: 0000000000000000',
      'CapBnd: 0000000000000000',
      'CapAmb: 0000000000000000',
      'NoNewPrivs: 1',
      'Seccomp: 2',
      '33',
      '34',
      '34 7 8 50',
      '/tmp',
    ]);
  });

  it('don’t make new namespaces, and don’t mount', async () => {
    const lines = await output(
      'unshare -U true 2>&1; unshare -m true 2>&1; mount -t tmpfs x /tmp 2>&1',
    );
    expect(lines).toEqual([
      expect.stringMatching(/Operation not permitted/),
      expect.stringMatching(/Operation not permitted/),
      expect.stringMatching(/permission denied|not permitted/i),
    ]);
  });

  it('reach neither the host’s keys nor its clock, and new calls are unknown', async () => {
    const calls = [
      ['keyctl', 250, 'EPERM'],
      ['io_uring_setup', 425, 'EPERM'],
      ['clock_settime', 227, 'EPERM'],
      ['clone3', 435, 'ENOSYS'],
      ['of the future', 600, 'ENOSYS'],
    ] as const;
    const binary = buildProbe(`${host.dir}/layers/probe`);
    const image = { ...host.spec('').image, layers: [...host.layers, binary] };
    const numbers = calls.map(([, number]) => String(number));
    const { output } = await host.run('', { image, command: ['/probe', ...numbers] });
    expect(output).toEqual(calls.map(([, number, error]) => `${number} ${error}`));
  });

  it('are all there for a privileged container, but only over its own namespaces', async () => {
    const lines = await output(
      `exec 2>&1; ${status}; mount -t tmpfs x /tmp && echo mounted; mknod /tmp/d b 8 0`,
      security({ privileged: true }),
    );
    expect(lines).toContain('CapEff: 000001ffffffffff');
    expect(lines).toContain('Seccomp: 0');
    expect(lines.at(-1)).toMatch(/not permitted/);
  });

  it('don’t include the root when it is read-only', async () => {
    const lines = await output(
      'touch /x 2>&1; echo 1 > /dev/shm/y && echo shm',
      security({ readOnlyRootFilesystem: true }),
    );
    expect(lines).toEqual(['touch: /x: Read-only file system', 'shm']);
  });

  it('don’t include the host’s keys', async () => {
    expect(readFileSync('/proc/keys', 'utf8')).not.toBe('');
    expect(await output('cat /proc/keys', security({ privileged: true }))).toEqual([]);
  });

  it('are the real root’s with hostUsers, still without devices', async () => {
    const shared = await openRuntimeHost();
    try {
      await shared.sandbox({ userNamespace: undefined });
      const { output } = await shared.run(
        `cat /proc/self/uid_map; ${status}; mknod /tmp/d b 8 0 2>&1`,
      );
      expect(output[0]?.trim().split(/\s+/)).toEqual(['0', '0', '4294967295']);
      expect(output).toContain('CapEff: 00000000a00425fb');
      expect(output.at(-1)).toMatch(/not permitted/);
      const made = await shared.run(
        'exec 2>&1; mknod /dev/mine c 1 5 && head -c 1 /dev/mine; head -c 1 /dev/zero | wc -c',
        security({ capabilitiesAdd: ['MKNOD'] }),
      );
      expect(made.output).toEqual(['head: /dev/mine: Permission denied', '1']);
    } finally {
      await shared.end();
    }
  });
});

describe('limits', () => {
  it('end what takes too much memory, and it is told', async () => {
    const { container } = await host.run(
      'x=$(head -c 100000000 /dev/zero | tr "\\0" x); echo $x | wc -c',
      {
        resources: { ...noLimits, memoryLimitBytes: 16_777_216 },
      },
    );
    expect(container.exit).toMatchObject({ oomKilled: true });
    expect(container.exit?.exitCode).not.toBe(0);
  });

  it('end the first process with 137 when it is the one', async () => {
    const { container } = await host.run('', {
      command: ['tail', '/dev/zero'],
      resources: { ...noLimits, memoryLimitBytes: 16_777_216 },
    });
    expect(container.exit).toMatchObject({ exitCode: 137, signal: 9, oomKilled: true });
  });

  it('stop a fork bomb', async () => {
    const { output } = await host.run('for i in 1 2 3 4 5 6 7 8 9; do sleep 1 & done; wait', {
      resources: { ...noLimits, pidsLimit: 5 },
    });
    expect(output.join()).toMatch(/fork: Resource temporarily unavailable/);
  });

  it('give a share of the processor', async () => {
    const lines = await output(
      'cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us /sys/fs/cgroup/cpu/cpu.shares 2>/dev/null || cat /sys/fs/cgroup/cpu.max',
      { resources: { ...noLimits, cpuLimitMilli: 500, cpuRequestMilli: 250 } },
    );
    expect([['50000', '256'], ['50000 100000']]).toContainEqual(lines);
  });
});

describe('what can’t be started', () => {
  const start = (over: Parameters<RuntimeHost['run']>[1]) =>
    host.run('true', { id: { uid: 'a', name: 'bad', attempt: 0 }, ...over });
  const rows: readonly [string, Parameters<RuntimeHost['run']>[1], object][] = [
    [
      'a missing program',
      { command: ['/no/such'] },
      {
        reason: 'StartError',
        message: 'exec: "/no/such": stat /no/such: no such file or directory',
      },
    ],
    [
      'a file that is no program',
      { command: ['/etc/passwd'] },
      { reason: 'StartError', message: 'exec: "/etc/passwd": permission denied' },
    ],
    [
      'a working directory that is a file',
      { workingDir: '/etc/passwd' },
      {
        reason: 'StartError',
        message: 'chdir to cwd ("/etc/passwd") set in config.json failed: not a directory',
      },
    ],
    [
      'a working directory through a descriptor',
      { workingDir: '/proc/self/fd/7' },
      { reason: 'StartError', message: expect.stringMatching(/^chdir to cwd/) },
    ],
    [
      'root where it must not be',
      security({ runAsNonRoot: true }),
      {
        reason: 'CreateContainerConfigError',
        message: expect.stringMatching(/image will run as root/),
      },
    ],
    [
      'under an AppArmor profile that isn’t there',
      security({ appArmor: 'no-such' }),
      hasAppArmor
        ? { reason: 'CreateContainerError' }
        : {
            reason: 'CreateContainerConfigError',
            message: 'process.apparmorProfile: apparmor is not active',
          },
    ],
  ];
  it.each(rows)('is %s: said in words, and nothing is left', async (_, over, error) => {
    await expect(start(over)).rejects.toMatchObject(error);
    expect(await host.state('bad')).toBeUndefined();
    expect(readdirSync(`${host.dir}/data/pods/a/containers`)).not.toContain('bad-0');
  });
});
