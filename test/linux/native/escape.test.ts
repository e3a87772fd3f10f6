import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Op } from '../../../agent/kernel/op.ts';
import {
  bindDefaults,
  createSandbox,
  execIn,
  execOps,
  firstId,
  logPath,
  messages,
  type NativePod,
  overlayRoot,
  runContainer,
  startContainer,
  startPod,
} from '../../support/native-pod.ts';

let pod: NativePod;

/** A directory of the host that no container may change, however its image points there. */
let host: string;

beforeEach(async () => {
  pod = await startPod();
  host = `${pod.dir}/host`;
  mkdirSync(host);
  writeFileSync(`${host}/file`, 'untouched');
  await createSandbox(pod);
});

afterEach(() => pod.end());

function image(change: (layer: string) => void): Promise<void> {
  change(pod.layer);
  return pod.shim.run(overlayRoot(pod));
}

const inRoot = { inRoot: true, create: true } as const;
const owner = { uid: firstId, gid: firstId } as const;
const volume = (target: string): Op => ({ ...bindDefaults, ...inRoot, source: pod.layer, target });
const tmpfs = (target: string): Op => ({
  op: 'mount',
  ...inRoot,
  source: 'tmpfs',
  target,
  fstype: 'tmpfs',
  flags: [],
  data: '',
});

/** What each list would do outside if a link of the image were followed there. */
const attacks: readonly [string, (path: string) => Op][] = [
  ['mkdir', (path) => ({ op: 'mkdir', inRoot: true, path: `${path}/new`, mode: 0o755, ...owner })],
  [
    'mknod',
    (path) => ({
      op: 'mknod',
      inRoot: true,
      path: `${path}/new`,
      mode: 0o020666,
      major: 1,
      minor: 3,
      ...owner,
    }),
  ],
  ['symlink', (path) => ({ op: 'symlink', inRoot: true, path: `${path}/new`, to: 'x' })],
  ['bind', (path) => volume(`${path}/new`)],
  ['mount', (path) => tmpfs(`${path}/new`)],
];

for (const [name, attack] of attacks) {
  it(`stays in the root with ${name} through links of the image`, async () => {
    const up = '../'.repeat(30);
    await image((layer) => {
      symlinkSync(host, `${layer}/absolute`);
      symlinkSync(`${up}${host.slice(1)}`, `${layer}/relative`);
      symlinkSync('/proc/self/root', `${layer}/magic`);
      symlinkSync('absolute', `${layer}/chain`);
    });
    let n = 0;
    for (const path of ['/absolute', '/relative', '/chain', `/${up}absolute`, `/magic${host}`]) {
      const start = startContainer(pod, {
        container: `c${n++}`,
        argv: ['true'],
        inRoot: [attack(path)],
      });
      await start.catch(() => undefined);
    }
    expect(readdirSync(host)).toEqual(['file']);
    expect(readFileSync(`${host}/file`, 'utf8')).toBe('untouched');
  });
}

it('makes the target of a dangling link inside the root', async () => {
  await image((layer) => symlinkSync(`${host}/absent/resolv.conf`, `${layer}/etc/resolv.conf`));
  writeFileSync(`${pod.dir}/resolv.conf`, 'nameserver 10.96.0.10\n');
  const source = `${pod.dir}/resolv.conf`;
  await runContainer(pod, {
    container: 'c',
    argv: ['cat', '/etc/resolv.conf'],
    inRoot: [{ ...bindDefaults, ...inRoot, source, target: '/etc/resolv.conf' }],
  });
  expect(messages(logPath(pod, 'c'), 'stdout')).toEqual(['nameserver 10.96.0.10']);
  expect(readdirSync(host)).toEqual(['file']);
});

for (const name of ['proc', 'dev'])
  it(`refuses an image whose /${name} is a link`, async () => {
    await image((layer) => {
      rmSync(`${layer}/${name}`, { recursive: true });
      symlinkSync('/tmp', `${layer}/${name}`);
    });
    const start = startContainer(pod, { container: 'c', argv: ['true'] });
    await expect(start).rejects.toThrow(/mount \w+ on \/\w+: open target: ELOOP/);
  });

it('refuses a working directory that is somebody’s descriptor', async () => {
  await image(() => undefined);
  await startContainer(pod, { container: 'main', argv: ['sleep', '1000'] });
  const enter: readonly Op[] = [
    { op: 'enter-container', container: 'main' },
    { op: 'set-root', path: '/' },
  ];
  for (let fd = 0; fd < 20; fd++) {
    const path = `/proc/self/fd/${fd}`;
    const chdir: Op = { op: 'chdir', path };
    const start = startContainer(pod, {
      container: 'c',
      argv: [],
      last: [chdir, ...execOps(['pwd'])],
    });
    await expect(start).rejects.toThrow(
      /chdir \/proc\/self\/fd\/\d+: open: (ELOOP|ENOENT|ENOTDIR)/,
    );
    const session = await pod.shim.exec({
      container: 'main',
      stdin: false,
      terminal: undefined,
      ops: [...enter, chdir, ...execOps(['pwd'])],
    });
    await expect(session.exited).rejects.toThrow(
      /chdir \/proc\/self\/fd\/\d+: open: (ELOOP|ENOENT|ENOTDIR)/,
    );
  }
});

it('shows a container no file of the host through /proc/PID/exe, nor lets it be written', async () => {
  await image(() => undefined);
  const script =
    'for p in 1 self; do readlink /proc/$p/exe; done; ls -l /proc/self/fd | grep -c memfd';
  await runContainer(pod, { container: 'c', argv: ['sh', '-c', script] });
  expect(messages(logPath(pod, 'c'), 'stdout')).toEqual(['/bin/busybox', '/bin/busybox', '0']);
});

it('does not let a container trace or see into a process on its way in', async () => {
  await image(() => undefined);
  const spy =
    'while :; do for p in /proc/[0-9]*; do case $p in /proc/1) ;; *) readlink $p/root $p/cwd 2>/dev/null | grep -v "^/$"; esac; done; done';
  await startContainer(pod, { container: 'spy', argv: ['sh', '-c', `cd /; ${spy}`] });
  for (let i = 0; i < 30; i++) await (await execIn(pod, 'spy', { argv: ['true'] })).exited;
  await pod.shim.kill('spy', 9);
  await expect.poll(async () => (await pod.shim.list())[0]?.exit?.signal).toBe(9);
  expect(messages(logPath(pod, 'spy'), 'stdout')).toEqual([]);
});

it('refuses a mask when /dev/null is not the null device', async () => {
  await image(() => undefined);
  const space: Op = { op: 'unshare', namespaces: ['mount'] };
  writeFileSync(`${pod.dir}/fake`, '');
  const run = pod.shim.run([
    space,
    { ...bindDefaults, source: `${pod.dir}/fake`, target: '/dev/null' },
    { op: 'set-root', path: `${pod.dir}/root` },
    { op: 'mask', path: '/etc/passwd' },
  ]);
  await expect(run).rejects.toThrow('mask /etc/passwd: check /dev/null: EINVAL');
  expect(existsSync('/dev/null')).toBe(true);
});
