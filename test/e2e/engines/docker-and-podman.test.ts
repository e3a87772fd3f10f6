import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { startDocker } from '../../support/docker-engine.ts';
import { startPodman } from '../../support/podman-engine.ts';
import { useEngine } from '../../support/use-engine.ts';
import { waitFor } from '../../support/wait-for.ts';

/** A terminal is told its size a moment after its start. */
const sized = 'until [ "$(stty size)" = "31 91" ]; do :; done';

/** Where the two differ. */
const engines = [
  {
    engine: 'docker 20.10.24 on containerd 1.6.20',
    start: startDocker,
    runtime: ['{{.DefaultRuntime}}', 'chosen'],
    bridge: { name: 'bridge', address: /172\.\d+\./, ofHost: ' docker0 ' },
    top: { words: ['-o', 'pid,args'], line: /\n\d+ +sh -c trap/ },
    memory: ['--memory', '96m', '--memory-swap', '96m'],
    atOnce: [],
    missing: 126,
  },
  {
    engine: 'podman 4.3.1 with conmon 2.1.6',
    start: startPodman,
    runtime: ['{{.Host.OCIRuntime.Version}}', 'orc-oci version'],
    bridge: { name: 'podman', address: /10\.88\./, ofHost: ' 10.88.0.1/16 ' },
    top: { words: ['pid', 'args'], line: /\n1 +sh -c trap/ },
    memory: ['--memory', '96m'],
    atOnce: ['-t', '0'],
    missing: 127,
  },
] as const;

describe.each(engines)('Debian’s $engine', (of) => {
  const engine = useEngine(of.start);
  const call = (...args: readonly string[]) => engine().run(...args);
  const image = 'shell:1';
  async function said(...args: readonly string[]): Promise<string> {
    const { code, out, err } = await call(...args);
    if (code !== 0) throw new Error(`${args.join(' ')}: ${code} ${err}`);
    return out.trim();
  }

  const once = (script: string, ...flags: readonly string[]) =>
    call('run', '--rm', '--network', 'none', ...flags, image, 'sh', '-c', script);
  /** In the background; it ends with 3 when told to. */
  const obeys = 'trap "exit 3" TERM; echo started; while :; do sleep 0.1; done';
  const begin = async (name: string, ...flags: readonly string[]) => {
    const network = flags.includes('--network') ? [] : ['--network', 'none'];
    await said('run', '-d', '--name', name, ...network, ...flags, image, 'sh', '-c', obeys);
    await waitFor('its first line', async () => (await said('logs', name)) === 'started');
  };
  const inspect = (name: string, what: string) => said('inspect', '-f', `{{${what}}}`, name);
  const limit = (v2: string, v1: string) =>
    `cat /sys/fs/cgroup/${v2} 2>/dev/null || cat /sys/fs/cgroup/${v1}`;
  const memoryLimit = limit('memory.max', 'memory/memory.limit_in_bytes');

  describe('run', () => {
    it('gives the output and the exit code', async () => {
      const run = await once('echo out; echo err >&2; exit 5');
      expect(run).toEqual({ code: 5, out: 'out\n', err: 'err\n' });
      const [what, runtime] = of.runtime;
      expect(await said('info', '-f', what)).toContain(runtime);
    });

    it.each([
      [127, 'nope'],
      [126, '/etc/passwd'],
    ])('ends with %i for %s, which is no program', async (code, program) => {
      const run = await call('run', '--rm', '--network', 'none', image, program);
      expect(run).toMatchObject({ code, err: expect.stringContaining(`exec: "${program}"`) });
    });

    it('runs as the user, with no capabilities and no new privileges, under a filter', async () => {
      const flags = ['--user', '7:8', '--cap-drop', 'ALL', '--security-opt', 'no-new-privileges'];
      const { out } = await once('id -u; id -g; cat /proc/self/status', ...flags);
      expect(out).toMatch(/^7\n8\n/);
      for (const line of ['CapEff:\t0000000000000000', 'CapBnd:\t0000000000000000'])
        expect(out).toContain(`${line}\n`);
      expect(out).toContain('NoNewPrivs:\t1\n');
      expect(out).toContain('Seccomp:\t2\n');
      const usual = await once('cat /proc/self/status');
      expect(usual.out).toContain('NoNewPrivs:\t0\n');
      expect(usual.out).not.toContain('CapEff:\t0000000000000000');
      const bare = await once('cat /proc/self/status', '--security-opt', 'seccomp=unconfined');
      expect(bare.out).toContain('Seccomp:\t0\n');
    });

    it('has a root file system that is read-only, but for a tmpfs', async () => {
      const script = 'touch /tmp/a && echo fine; touch /a';
      const run = await once(script, '--read-only', '--tmpfs', '/tmp');
      expect(run).toEqual({ code: 1, out: 'fine\n', err: 'touch: /a: Read-only file system\n' });
    });

    it('mounts directories, writable or not, and volumes that stay', async () => {
      const dir = join(engine().dir, 'shared');
      await mkdir(dir);
      await writeFile(join(dir, 'file'), 'from outside\n');
      const script = 'cat /a/file; touch /a/new && echo wrote; touch /b/other; echo kept > /c/file';
      const volumes = [`${dir}:/a`, `${dir}:/b:ro`, 'named:/c'].flatMap((v) => ['-v', v]);
      expect(await once(script, ...volumes)).toEqual({
        code: 0,
        out: 'from outside\nwrote\n',
        err: 'touch: /b/other: Read-only file system\n',
      });
      expect(await once('ls /a; cat /c/file', ...volumes)).toMatchObject({
        out: 'file\nnew\nkept\n',
      });
    });

    it('is killed when it takes more memory than it may', async () => {
      expect(await once('tail /dev/zero', '--memory', '20m')).toMatchObject({ code: 137 });
    });

    it('has no more processes than it may', async () => {
      const script = `${limit('pids.max', 'pids/pids.max')}; for i in 1 2 3 4 5; do sleep 9 & done`;
      const run = await once(script, '--pids-limit', '4');
      expect(run).toMatchObject({
        code: 2,
        out: '4\n',
        err: expect.stringContaining("can't fork"),
      });
    });

    it('is a shell on a terminal: its size, Ctrl-C, the exit code', async () => {
      const shell = engine().onTerminal('run', '-it', '--rm', '--network', 'none', image, 'sh');
      const shows = (text: string) => waitFor(text, () => shell.out().includes(text), 10_000);
      await shows('# ');
      shell.type(`${sized} && tty && echo asleep$((2+2)); sleep 600\r`);
      await shows('asleep4');
      shell.type('\u0003');
      await shows('^C');
      shell.type('exit 7\r');
      expect(await shell.ended).toBe(7);
      expect(shell.out()).toMatch(/^\/dev\/pts\/0\r$/m);
    });
  });

  describe('a network', () => {
    const addresses = 'ip -4 -o addr';

    it('is none, the host’s, or a bridge on which containers reach each other', async () => {
      expect((await once(addresses)).out.trim().split('\n')).toEqual([
        expect.stringContaining(' 127.0.0.1/8 '),
      ]);
      await begin('server', '--network', of.bridge.name);
      const address = await inspect('server', '.NetworkSettings.IPAddress');
      expect(address).toMatch(of.bridge.address);
      await said('exec', '-d', 'server', 'sh', '-c', 'echo reached | nc -l -p 7000');
      const client = `for i in 1 2 3 4 5 6 7 8 9; do nc -w 5 ${address} 7000 && break; usleep 200000; done`;
      const asked = await call('run', '--rm', image, 'sh', '-c', `${addresses}; ${client}`);
      expect(asked.out).toContain('reached\n');
      expect(asked.out).toMatch(new RegExp(` eth0 +inet ${of.bridge.address.source}`));
      const host = await call('run', '--rm', '--network', 'host', image, 'sh', '-c', addresses);
      expect(host.out).toContain(of.bridge.ofHost);
      await said('rm', '-f', ...of.atOnce, 'server');
    });
  });

  describe('a container in the background', () => {
    beforeAll(() => begin('box', '--memory', '64m', '--hostname', 'boxed'));

    it('shows its logs, its processes and its state', async () => {
      expect(await said('logs', 'box')).toBe('started');
      expect(await said('top', 'box', ...of.top.words)).toMatch(of.top.line);
      expect(await said('ps', '--format', '{{.Names}} {{.Status}}')).toMatch(/^box Up/);
    });

    it('runs another process in it, with a user, variables and a directory of its own', async () => {
      const flags = ['-e', 'A=b', '-w', '/tmp', '-u', '7:8'];
      const script = 'hostname; id -u; id -g; pwd; echo $A; echo err >&2; exit 9';
      const run = await call('exec', ...flags, 'box', 'sh', '-c', script);
      expect(run).toMatchObject({ code: 9, out: 'boxed\n7\n8\n/tmp\nb\n', err: 'err\n' });
    });

    it('gives the exit code of a process that ends at once, every time', async () => {
      const codes = new Set<number>();
      for (let i = 0; i < 15 && codes.size < 2; i++)
        codes.add((await call('exec', 'box', 'sh', '-c', 'exit 9')).code);
      expect([...codes]).toEqual([9]);
    });

    it.each(['nope', '/etc/passwd'])(
      'says that %s, asked for in it, is no program',
      async (program) => {
        const { code, out, err } = await call('exec', 'box', program);
        expect(code).toBe(program === 'nope' ? of.missing : 126);
        const reason =
          program === 'nope' ? 'executable file not found in $PATH' : 'permission denied';
        expect(out + err).toContain(`exec: "${program}": ${reason}`);
      },
    );

    it('has a shell on a terminal beside it, of its size', async () => {
      const script = `${sized} && read a && echo got $a; exit 6`;
      const shell = engine().onTerminal('exec', '-it', 'box', 'sh', '-c', script);
      shell.type('this\r');
      expect(await shell.ended).toBe(6);
      expect(shell.out()).toContain('got this\r\n');
    });

    it('stands still while it is paused', async () => {
      await said('pause', 'box');
      expect(await inspect('box', '.State.Status')).toBe('paused');
      expect((await call('exec', 'box', 'true')).code).not.toBe(0);
      await said('unpause', 'box');
      expect(await inspect('box', '.State.Status')).toBe('running');
      expect((await call('exec', 'box', 'true')).code).toBe(0);
    });

    it('gets other limits while it runs', async () => {
      expect(await said('exec', 'box', 'sh', '-c', memoryLimit)).toBe(`${64 * 2 ** 20}`);
      await said('update', ...of.memory, 'box');
      expect(await said('exec', 'box', 'sh', '-c', memoryLimit)).toBe(`${96 * 2 ** 20}`);
    });

    it('is restarted, and stopped with the exit code of its signal handler', async () => {
      const first = await inspect('box', '.State.Pid');
      await said('restart', '-t', '5', 'box');
      expect(await inspect('box', '.State.Status')).toBe('running');
      expect(await inspect('box', '.State.Pid')).not.toBe(first);
      await waitFor('its second start', async () => (await said('logs', 'box')).split('\n')[1]);
      await said('stop', '-t', '5', 'box');
      expect(await inspect('box', '.State.ExitCode')).toBe('3');
    });

    it('is killed and removed, beside another one that stays', async () => {
      await said('start', 'box');
      await begin('other');
      await said('kill', 'box');
      await waitFor('its end', async () => (await inspect('box', '.State.Status')) === 'exited');
      expect(await inspect('box', '.State.ExitCode')).toBe('137');
      await said('rm', 'box');
      expect(await said('ps', '-a', '--format', '{{.Names}}')).toBe('other');
      expect((await call('rm', 'other')).code).not.toBe(0);
      await said('rm', '-f', ...of.atOnce, 'other');
      expect(await said('ps', '-a', '--format', '{{.Names}}')).toBe('');
    });
  });
});
