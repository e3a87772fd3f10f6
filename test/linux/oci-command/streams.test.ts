import {
  closeSync,
  openSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  mustWork,
  type OciProgram,
  type Over,
  openOciProgram,
  openPipe,
} from '../../support/oci-program.ts';
import { runProgram } from '../../support/run-program.ts';
import { waitFor } from '../../support/wait-for.ts';

let oci: OciProgram;
beforeAll(async () => {
  oci = await openOciProgram();
});
afterAll(() => oci?.[Symbol.asyncDispose]());

const terminal = { process: { terminal: true } };

describe('streams', () => {
  it('are the caller’s own, each by itself', async () => {
    const call = { input: 'typed\n' };
    const run = await oci.foreground('cat; echo error >&2; exit 3', { call });
    expect(run).toEqual({ code: 3, out: 'typed\n', err: 'error\n' });
  });

  it('lose nothing of what is long', async () => {
    const input = Buffer.alloc(3_000_000, 'some text\n').toString();
    const run = mustWork(await oci.foreground('tee /dev/stderr', { call: { input } }));
    expect([run.out === input, run.err === input]).toEqual([true, true]);
  });

  it('stay those of create when the container is started by another call', async () => {
    const c = await oci.created('echo out; echo error >&2');
    const start = await oci.run('start', c.id);
    expect(start).toEqual({ code: 0, out: '', err: '' });
    await waitFor('its line', () => c.out() === 'out\n');
  });

  it('may all be the same file', async () => {
    const by = ['sh', '-c', '"$@" 2>&1', 'sh'];
    const run = await oci.foreground('echo one; echo two >&2; echo three', { call: { by } });
    expect(run).toEqual({ code: 0, out: 'one\ntwo\nthree\n', err: '' });
  });
});

describe('descriptors', () => {
  const files = (...names: readonly string[]) =>
    names.map((name) => {
      writeFileSync(`${oci.dir}/${name}`, `${name}\n`);
      return openSync(`${oci.dir}/${name}`, 'r');
    });
  const run = (script: string, more: readonly string[], env = {}) => {
    const { id, dir } = oci.bundle(script);
    return oci.call(['run', ...more, '-b', dir, id], { fds: files('three', 'four'), env });
  };

  it('of the caller’s are not the container’s', async () => {
    expect((await run('ls /proc/self/fd', [])).out).toBe('0\n1\n2\n3\n');
    expect((await run('cat <&3', [])).code).not.toBe(0);
  });

  it('--preserve-fds hands on that many', async () => {
    expect((await run('cat <&3; cat <&4', ['--preserve-fds', '2'])).out).toBe('three\nfour\n');
    expect((await run('ls /proc/self/fd', ['--preserve-fds', '1'])).out).toBe('0\n1\n2\n3\n4\n');
  });

  it('LISTEN_FDS hands on those of systemd, and tells of them', async () => {
    const script = 'cat <&3; echo $LISTEN_FDS $LISTEN_PID $$';
    expect((await run(script, [], { LISTEN_FDS: '1' })).out).toBe('three\n1 1 1\n');
  });

  it.each(['x', '-1', '1000'])('--preserve-fds %s is refused', async (count) => {
    expect(await run('true', [`--preserve-fds=${count}`])).toMatchObject({ code: 1, out: '' });
  });
});

/** In a terminal of `script`'s making, which nobody hangs up; what was seen there. */
async function inTerminal(words: string, typed = '') {
  const pipe = `${oci.dir}/typed`;
  const fd = openPipe(pipe);
  try {
    writeSync(fd, typed);
    const options = ['--quiet', '--return', '--echo', 'never', '--command', words, '/dev/null'];
    const run = await runProgram('sh', ['-c', `exec script "$@" <> ${pipe}`, 'sh', ...options], {
      env: { SHELL: '/bin/sh', ORC: `${oci.program} --root ${oci.root}` },
    });
    return { code: run.code, out: run.out };
  } finally {
    closeSync(fd);
  }
}

/** Says the size once it is this one: it is told after the start. */
const sized = (rows: number, columns: number) =>
  `i=0; until stty size | grep "^${rows} ${columns}$" || [ $((i += 1)) = 300 ]; do sleep 0.01; done`;

describe('a terminal', () => {
  const runs = (script: string, over: Over = terminal) => {
    const { id, dir } = oci.bundle(script, over);
    return `$ORC run -b ${dir} ${id}`;
  };

  it('is the container’s own, of the size of the caller’s, whose settings come back', async () => {
    const look = runs(
      `tty; tty <&2; ${sized(33, 101)}; [ -t 0 -a -t 1 -a -t 2 ] && echo yes; exit 4`,
    );
    const words = `stty rows 33 cols 101; stty -g; ${look}; code=$?; stty -g; exit $code`;
    const { code, out } = await inTerminal(words);
    const [before, ...lines] = out.trim().split('\r\n');
    expect([code, lines]).toEqual([4, ['/dev/pts/0', '/dev/pts/0', '33 101', 'yes', before]]);
  });

  it('takes what is typed', async () => {
    const { code, out } = await inTerminal(runs('read line; echo "got $line"'), 'some words\n');
    expect(code).toBe(0);
    expect(out).toContain('got some words\r\n');
  });

  it('of exec --tty is one, too', async () => {
    const { id } = await oci.running('exec sleep 1000');
    const words = `$ORC exec --tty ${id} sh -c 'tty; ${sized(21, 81)}; exit 5'`;
    expect(await inTerminal(`stty rows 21 cols 81; ${words}`)).toEqual({
      ...{ code: 5, out: '/dev/pts/0\r\n21 81\r\n' },
    });
    expect(await oci.run('exec', id, 'tty')).toMatchObject({ code: 1, out: 'not a tty\n' });
  });

  it('changes its size with the caller’s', async () => {
    const up = `${oci.rootfs}/up`;
    rmSync(up, { force: true });
    // The first change may be to the size that the caller's has from the start.
    const resized = 'stty size | grep "^41 51$" && exit';
    const script = `trap '${resized}' WINCH; touch /up; while :; do sleep 0.01; done`;
    const resize = `(until [ -e ${up} ]; do sleep 0.01; done; stty rows 41 cols 51) < /dev/tty`;
    const words = `stty rows 20 cols 70; ${resize} & ${runs(script)} < /dev/tty; wait`;
    expect(await inTerminal(words)).toEqual({ code: 0, out: '41 51\r\n' });
  });

  it('need not be there for a foreground run: output comes through', async () => {
    const { id, dir } = oci.bundle('tty; echo error >&2', terminal);
    const { code, out } = await oci.run('run', '-b', dir, id);
    expect([code, out.replaceAll('\r', '')]).toEqual([0, '/dev/pts/0\nerror\n']);
  });

  it('goes to the console socket', async () => {
    const path = `${oci.dir}/console`;
    // What isn't read holds the terminal open.
    const sockets: Socket[] = [];
    const server = createServer({ pauseOnConnect: true }, (socket) => sockets.push(socket));
    await new Promise<void>((resolve) => server.listen(path, resolve));
    try {
      const { id, dir } = oci.bundle('exec sleep 1000', terminal);
      const call = { cwd: oci.dir };
      const own = ['--console-socket', 'console', '--pid-file', 'pid'];
      const input = async (...words: readonly string[]) => {
        mustWork(await oci.call(words, call));
        return readlinkSync(`/proc/${readFileSync(`${oci.dir}/pid`, 'utf8')}/fd/0`);
      };
      expect(await input('create', ...own, '-b', dir, id)).toMatch(/^\/dev\/pts\/\d+$/);
      mustWork(await oci.run('start', id));
      const exec = ['exec', '--tty', '--detach', ...own, id, 'sleep', '1000'];
      expect(await input(...exec)).toMatch(/^\/dev\/pts\/\d+$/);
      expect(await oci.status(id)).toBe('running');
      const said = await Promise.all(sockets.map((socket) => text(socket)));
      expect(said).toEqual(['pty', 'pty']);
    } finally {
      server.close();
    }
  });

  it.each(['nowhere', 'rootfs'])('is refused with %s as console socket', async (name) => {
    const made = Array.from({ length: 30 }, () => oci.bundle('true', terminal));
    const socket = ['--console-socket', `${oci.dir}/${name}`];
    const runs = [];
    for (const { id, dir } of made) runs.push(await oci.run('create', ...socket, '-b', dir, id));
    expect(runs.map(({ code }) => code)).toEqual(Array(30).fill(1));
    expect(new Set(runs.map(({ err }) => err.replace(/: E.*/s, '')))).toEqual(
      new Set(['orc-oci: start container: console socket']),
    );
    expect(made.flatMap(({ id }) => oci.groups(id))).toEqual([]);
  });

  it('that isn’t wanted takes no console socket', async () => {
    const { id, dir } = oci.bundle('true');
    const run = await oci.run('create', '--console-socket', `${oci.dir}/none`, '-b', dir, id);
    expect(run).toMatchObject({ code: 1, err: expect.stringMatching(/has no terminal/) });
  });

  it.each(['create', 'run --detach', 'exec --tty --detach'])(
    'is refused where it would go with who calls: %s without a console socket',
    async (verb) => {
      const c = await oci.running('exec sleep 1000');
      const { id, dir } = oci.bundle('true', terminal);
      const words = verb.startsWith('exec') ? [c.id, 'true'] : ['-b', dir, id];
      expect((await oci.run(...verb.split(' '), ...words)).code).not.toBe(0);
    },
  );
});
