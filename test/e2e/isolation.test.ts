import { readFile, readlink } from 'node:fs/promises';
import type { V1Pod } from '@kubernetes/client-node';
import { beforeAll, describe, expect, it } from 'vitest';
import { useDevCluster } from '../support/dev-cluster.ts';
import { findProcess } from '../support/find-process.ts';
import { type Container, shell, shellPod } from '../support/manifests.ts';
import { readyPod } from '../support/pod-states.ts';
import { runProgram } from '../support/run-program.ts';

/**
 * What a pod sees of its host and of another pod on it, and what its host sees of the pod. All as root in the container,
 * with nothing asked for in the manifest: the defaults must do.
 */
describe('a pod', () => {
  const cluster = useDevCluster({ nodes: 1 });
  let address = '';

  beforeAll(async () => {
    const { create, until } = cluster();
    await create(
      shellPod('pod', sleeper('11111', { env: [{ name: 'SECRET', value: 'of pod' }] })),
      shellPod('neighbour', sleeper('22222')),
      shellPod('strict', sleeper('33333', { securityContext: strict })),
    );
    for (const name of ['neighbour', 'strict']) await until('pods', readyPod(name));
    const pod: V1Pod = await until('pods', readyPod('pod'));
    address = pod.status?.podIP ?? '';
  });

  const inside = async (script: string, pod = 'pod') => {
    const { out, err } = await cluster().exec(pod, ['sh', '-c', script]);
    return `${out}${err}`.trim();
  };

  it('sees no process but its own', async () => {
    const commands = await inside(
      'for p in /proc/[0-9]*; do tr "\\0" " " < $p/cmdline; echo; done',
    );
    const first = commands.split('\n').filter((line) => !line.startsWith('sh -c') && line !== '');
    expect(first).toEqual(['sleep 11111 ']);
    expect(await inside('readlink /proc/1/exe')).toBe('/bin/busybox');
  });

  it('sees no device of its host', async () => {
    const devices = await inside('find /dev -type c -o -type b | sort');
    const expected = ['full', 'null', 'pts/ptmx', 'random', 'tty', 'urandom', 'zero'];
    expect(devices.split('\n')).toEqual(expected.map((name) => `/dev/${name}`));
    expect(await inside('mknod /tmp/disk b 8 0; mknod /tmp/mem c 1 1; ls /tmp')).not.toMatch(
      /^(disk|mem)$/m,
    );
  });

  it('sees no mount of its host, and nothing of its disk', async () => {
    const lines = (await inside('cat /proc/self/mountinfo')).split('\n');
    expect(lines.filter((line) => / - (ext4|xfs|btrfs) /.test(line))).toEqual([]);
    expect(await inside('cat /proc/self/mountinfo')).not.toContain('/run/orc');
  });

  it('has an interface and an address of its own, and no other', async () => {
    expect((await inside('ls /sys/class/net')).split('\n')).toEqual(['eth0', 'lo']);
    const addresses = await inside("ip -4 addr | sed -n 's/ *inet \\([^ ]*\\).*/\\1/p'");
    expect(addresses.split('\n')).toEqual(['127.0.0.1/8', `${address}/32`]);
  });

  it('has an empty keyring and finds no sockets of others', async () => {
    expect(await inside('cat /proc/keys')).toBe('');
    expect(await inside('tail -n +2 /proc/net/unix')).toBe('');
    expect(await inside('find / -xdev -type s')).toBe('');
  });

  it("has a name of its own, and can't change it", async () => {
    expect(await inside('hostname')).toBe('pod');
    expect(await inside('hostname other 2>/dev/null; hostname')).toBe('pod');
  });

  it('is root inside and nobody outside', async () => {
    expect(await inside('id -u')).toBe('0');
    expect(await inside('cat /proc/self/uid_map')).toMatch(/^0 +[1-9]\d+ +65536$/);
    const outside = await statusOf('sleep 11111');
    expect(Number(outside.Uid?.split('\t')[0])).toBeGreaterThanOrEqual(65_536);
    expect(Number(outside.Gid?.split('\t')[0])).toBeGreaterThanOrEqual(65_536);
  });

  it('has another range of ids than its neighbour', async () => {
    const first = async (pod: string) =>
      Number((await inside('cat /proc/self/uid_map', pod)).split(/ +/)[1]);
    const [one, other] = [await first('pod'), await first('neighbour')];
    expect(Math.abs(one - other)).toBeGreaterThanOrEqual(65_536);
  });

  it("shares no namespace with its neighbour, nor with its host's", async () => {
    const kinds = ['ipc', 'mnt', 'net', 'pid', 'user', 'uts'];
    const namespaces = async (pid: number) =>
      Promise.all(kinds.map((kind) => readlink(`/proc/${pid}/ns/${kind}`)));
    const host = await namespaces(cluster().host('host1').pid);
    const pod = await namespaces(await pidOf('sleep 11111'));
    const neighbour = await namespaces(await pidOf('sleep 22222'));
    const all = [...host, ...pod, ...neighbour];
    expect(new Set(all).size).toBe(all.length);
  });

  it("doesn't see its neighbour's files, processes or environment", async () => {
    await inside('echo mine > /tmp/note; echo mine > /dev/shm/note', 'neighbour');
    expect(await inside('find / -xdev -name note; ls /dev/shm')).toBe('');
    expect(await inside('grep -l 2222[2] /proc/[0-9]*/cmdline')).toBe('');
    expect(await inside('echo x$SECRET', 'neighbour')).toBe('x');
  });

  it('has the default capabilities, none to inherit, and a seccomp filter', async () => {
    for (const status of [await ownStatus(), await statusOf('sleep 11111')]) {
      expect(status).toMatchObject({
        CapInh: '0000000000000000',
        CapPrm: '00000000a80425fb',
        CapEff: '00000000a80425fb',
        CapBnd: '00000000a80425fb',
        CapAmb: '0000000000000000',
        Seccomp: '2',
      });
    }
  });

  it('has no capability and no new privileges where the manifest says so', async () => {
    for (const status of [await ownStatus('strict'), await statusOf('sleep 33333')]) {
      expect(status).toMatchObject({
        CapPrm: '0000000000000000',
        CapEff: '0000000000000000',
        CapBnd: '0000000000000000',
        NoNewPrivs: '1',
        Seccomp: '2',
      });
      expect(status.Uid?.split('\t')[0]).not.toBe('0');
    }
    expect(await inside('id -u; echo x > /file', 'strict')).toMatch(
      /^4321\n.*(Read-only|Permission denied)/,
    );
  });

  const ownStatus = async (pod?: string) => parseStatus(await inside('cat /proc/self/status', pod));

  it("finds the kernel's sensitive files empty or missing", async () => {
    const files = '/proc/keys /proc/timer_list /proc/kcore /proc/latency_stats /proc/sched_debug';
    expect(await inside(`cat ${files} 2>/dev/null | wc -c`)).toBe('0');
    expect(await inside('ls -A /proc/acpi /proc/scsi /sys/firmware 2>/dev/null | grep -v :')).toBe(
      '',
    );
  });

  it.for([
    ["set the host's sysctls", 'echo x > /proc/sys/kernel/core_pattern'],
    ['trigger a sysrq', 'echo h > /proc/sysrq-trigger'],
    ['write to sysfs', 'echo 0 > /sys/kernel/mm/transparent_hugepage/enabled'],
    ['change its cgroup', 'mkdir /sys/fs/cgroup/memory/x /sys/fs/cgroup/x'],
    ['mount', 'mkdir -p /mnt && mount -t tmpfs none /mnt'],
    ['mount proc anew', 'mkdir -p /mnt && mount -t proc none /mnt'],
    ['unmount what masks', 'umount /proc/keys'],
    ['remount read-write', 'mount -o remount,rw /proc/sys'],
    ['make a user namespace', 'unshare -U true'],
    ['load a module', 'head -c 4096 /dev/zero > /tmp/x.ko && insmod /tmp/x.ko'],
    ['set the clock', 'date -s 2001-01-01 && test $(date +%Y) = 2001'],
    ['read the kernel log', 'dmesg'],
    ['reboot', 'reboot -f'],
    ["enter another process's namespaces", 'nsenter -t 1 -n true'],
    ['change its network', 'ip addr add 10.9.9.9/32 dev eth0'],
    ['turn swap off', 'swapoff -a && swapon /tmp/x'],
  ])("can't %s", async ([, script]) => {
    const { code, err } = await cluster().exec('pod', ['sh', '-c', script ?? '']);
    expect(err).toMatch(/denied|not permitted|Read-only|No such file|can't|must be/i);
    expect(code).not.toBe(0);
  });

  it.for([
    ['6443', 'HTTP/1.1 401'],
    ['6444', 'certificate required'],
  ])("gets nothing from the controller's port %s without a certificate", async ([port, answer]) => {
    const pid = await pidOf('sleep 11111');
    const from = ['--target', `${pid}`, '--net', '--', process.execPath, '-e', askWithTls];
    const { out } = await runProgram('nsenter', [...from, port ?? '']);
    expect(out).toContain(answer);
  });
});

const strict = {
  runAsNonRoot: true,
  runAsUser: 4321,
  allowPrivilegeEscalation: false,
  readOnlyRootFilesystem: true,
  capabilities: { drop: ['ALL'] },
};

/** As a first process, it is found from outside by its command line. */
const sleeper = (seconds: string, fields: Partial<Container> = {}): Container => ({
  ...shell('', fields),
  command: ['sleep', seconds],
});

/** Prints what the controller answers to a client without a certificate, or why there was no answer. */
const askWithTls = `
  const socket = require('node:tls').connect(
    { host: '172.30.0.1', port: Number(process.argv[1]), rejectUnauthorized: false, ALPNProtocols: process.argv[1] === '6444' ? ['h2'] : ['http/1.1'] },
    () => socket.write('GET /api/v1/pods HTTP/1.1\\r\\nhost: c\\r\\nconnection: close\\r\\n\\r\\n'));
  socket.on('data', (data) => process.stdout.write(data));
  socket.on('error', (error) => process.stdout.write(error.message));
`;

/** From outside, where every process is seen. */
async function pidOf(command: string): Promise<number> {
  const pid = await findProcess(new RegExp(`^${command}$`));
  if (pid === undefined) throw new Error(`no process "${command}"`);
  return pid;
}

async function statusOf(command: string): Promise<Readonly<Record<string, string>>> {
  return parseStatus(await readFile(`/proc/${await pidOf(command)}/status`, 'utf8'));
}

const parseStatus = (text: string): Readonly<Record<string, string>> =>
  Object.fromEntries(text.split('\n').map((line) => line.split(':\t') as [string, string]));
