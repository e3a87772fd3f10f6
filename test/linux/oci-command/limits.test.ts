import { closeSync, mkdirSync, readdirSync, writeFileSync, writeSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { OciResources } from '../../../agent/oci/oci-spec.ts';
import { limitRows } from '../../support/cgroup-limits.ts';
import {
  type Container,
  isRunning,
  mustWork,
  type OciProgram,
  openOciProgram,
  openPipe,
} from '../../support/oci-program.ts';
import { waitFor } from '../../support/wait-for.ts';

let oci: OciProgram;
beforeAll(async () => {
  oci = await openOciProgram();
});
afterAll(() => oci?.[Symbol.asyncDispose]());

const mib = 2 ** 20;
const limited = (resources: OciResources) => ({ linux: { resources } });
const sleeper = (resources: OciResources = {}) =>
  oci.running('exec sleep 1000', limited(resources));

/** By its name in version 1, whatever version there is. */
const names: Readonly<Record<string, string>> = {
  'memory.limit_in_bytes': 'memory.max',
  'cpu.shares': 'cpu.weight',
};
const limitOf = ({ id }: Pick<Container, 'id'>, file: string) =>
  oci.groupFile(id, oci.cgroupVersion === 1 ? file : (names[file] ?? file));
const refused = (text: RegExp, code = 1) => ({
  ...{ code, out: '' },
  err: expect.stringMatching(text) as string,
});

describe('limits', () => {
  it.each(limitRows)(
    'linux.resources.%s is what the kernel says',
    async (_, resources, ...rows) => {
      const c = await oci.created('true', limited(resources));
      const expected = rows[oci.cgroupVersion - 1]!;
      const seen = Object.keys(expected).map((file) => [file, oci.groupFile(c.id, file)]);
      expect(Object.fromEntries(seen)).toEqual(expected);
      mustWork(await oci.run('delete', '-f', c.id));
      expect(oci.groups(c.id)).toEqual([]);
    },
  );

  it('hold from the first instruction on: who takes more memory is killed', async () => {
    const memory = { limit: 16 * mib, swap: 16 * mib };
    const run = await oci.foreground('exec tail /dev/zero', limited({ memory }));
    expect(run).toEqual({ code: 137, out: '', err: '' });
  });

  it('one that can’t be set fails create, and no group is left', async () => {
    const { id, dir } = oci.bundle('true', limited({ cpu: { cpus: '9999' } }));
    expect(await oci.run('create', '-b', dir, id)).toEqual(
      refused(/linux\.resources\.cpu\.cpus|cpuset\.cpus/),
    );
    expect([oci.groups(id), readdirSync(oci.root).includes(id)]).toEqual([[], false]);
  });

  it('a path in the words of systemd is refused without its driver', async () => {
    const linux = { cgroupsPath: 'system.slice:orc:x' };
    const { id, dir } = oci.bundle('true', { linux });
    expect(await oci.run('create', '-b', dir, id)).toEqual(refused(/system\.slice:orc:x/));
    expect(readdirSync(oci.root)).not.toContain(id);
  });

  it('without cgroups there are none', async () => {
    const { id, dir } = oci.bundle('exec sleep 1000');
    mustWork(await oci.run('--cgroup-manager', 'disabled', 'create', '-b', dir, id));
    expect(oci.groups(id)).toEqual([]);
    mustWork(await oci.run('start', id));
    expect(await oci.status(id)).toBe('running');
    const stopped = async () => (await oci.status(id)) === 'stopped';
    mustWork(await oci.run('kill', id, 'KILL'));
    await waitFor('its end', stopped);
    mustWork(await oci.run('delete', id));
  });
});

describe('a group that isn’t the container’s alone', () => {
  const sharing = (c: Container, resources: OciResources) => {
    const { cgroupsPath = '' } = c.spec.linux ?? {};
    return oci.bundle('true', { linux: { cgroupsPath, resources } });
  };

  it('is refused while something runs in it, which goes on with its limits', async () => {
    const c = await sleeper({ pids: { limit: 9 }, memory: { limit: 64 * mib } });
    const other = sharing(c, { pids: { limit: 5 }, memory: { limit: 32 * mib } });
    expect(await oci.run('create', '-b', other.dir, other.id)).toEqual(refused(/is not empty/));
    expect([isRunning(c.pid), await oci.status(c.id)]).toEqual([true, 'running']);
    expect([limitOf(c, 'pids.max'), limitOf(c, 'memory.limit_in_bytes')]).toEqual([
      '9',
      String(64 * mib),
    ]);
  });

  it('is refused with a limit that can’t be set, and what runs in it goes on', async () => {
    const c = await sleeper();
    const other = sharing(c, { cpu: { cpus: '9999' } });
    expect((await oci.run('create', '-b', other.dir, other.id)).code).toBe(1);
    expect([isRunning(c.pid), await oci.status(c.id)]).toEqual([true, 'running']);
  });

  it('is refused while it is frozen', async () => {
    const c = await sleeper();
    mustWork(await oci.run('pause', c.id));
    const other = sharing(c, {});
    expect(await oci.run('create', '-b', other.dir, other.id)).toEqual(refused(/frozen/));
    expect(await oci.status(c.id)).toBe('paused');
    mustWork(await oci.run('resume', c.id));
    expect(await oci.status(c.id)).toBe('running');
  });
});

describe('update', () => {
  it('changes what is named, and leaves the rest', async () => {
    const c = await sleeper({ pids: { limit: 9 }, memory: { limit: 64 * mib } });
    const update = async (...options: string[]) =>
      mustWork(await oci.run('update', ...options, c.id));
    const seen = () =>
      ['pids.max', 'memory.limit_in_bytes', 'cpu.shares'].map((file) => limitOf(c, file));
    const fresh = seen()[2];
    await update('--pids-limit', '20');
    expect(seen()).toEqual(['20', String(64 * mib), fresh]);
    await update('--memory', '96m', '--cpu-share', '512');
    const shares = oci.cgroupVersion === 1 ? '512' : '20';
    expect(seen()).toEqual(['20', String(96 * mib), shares]);
    await update('--pids-limit', '-1', '--memory=128M');
    expect(seen()).toEqual(['max', String(128 * mib), shares]);
  });

  it('--cpu-period, --cpu-quota, --cpuset-cpus', async () => {
    const c = await sleeper();
    const cpu = ['--cpu-period', '50000', '--cpu-quota', '25000', '--cpuset-cpus', '0'];
    mustWork(await oci.run('update', ...cpu, c.id));
    const quota =
      oci.cgroupVersion === 1
        ? ['cpu.cfs_quota_us', 'cpu.cfs_period_us'].map((file) => oci.groupFile(c.id, file))
        : oci.groupFile(c.id, 'cpu.max')?.split(' ');
    expect([quota, oci.groupFile(c.id, 'cpuset.cpus')]).toEqual([['25000', '50000'], '0']);
  });

  it('--resources reads a file, or standard input', async () => {
    const c = await sleeper();
    const file = `${oci.dir}/resources.json`;
    const update = async (limit: number, name: string) => {
      writeFileSync(file, JSON.stringify({ pids: { limit } }));
      const by = ['sh', '-c', `cat ${file} | "$@"`, 'sh'];
      mustWork(await oci.call(['update', '--resources', name, c.id], { by, cwd: oci.dir }));
      return limitOf(c, 'pids.max');
    };
    expect([await update(31, 'resources.json'), await update(32, '-')]).toEqual(['31', '32']);
    expect([await update(33, '/dev/fd/0'), await update(34, file)]).toEqual(['33', '34']);
  });

  it.each([
    [['--memory', '12x'], /memory/],
    [['--pids-limit', ''], /pids-limit/],
    [['--cpuset-cpus', '9999'], /cpus/],
    [['--resources', '/nowhere.json'], /nowhere/],
    [['--nothing', '1'], /nothing/],
  ])('%j is refused', async (options, text) => {
    const c = await sleeper({ pids: { limit: 9 } });
    expect(await oci.run('update', ...options, c.id)).toEqual(refused(text));
    expect(limitOf(c, 'pids.max')).toBe('9');
  });

  it('of what has stopped is refused', async () => {
    const { id, dir } = oci.bundle('true');
    mustWork(await oci.run('run', '--keep', '-b', dir, id));
    for (const verb of [['update', '--pids-limit', '9'], ['pause'], ['resume']])
      expect(await oci.run(...verb, id)).toEqual(refused(/container not running/));
  });

  it('that waits for its input holds up nobody else’s call', async () => {
    const { id } = await sleeper();
    const fd = openPipe(`${oci.dir}/pipe`);
    const waits = oci.begin(['update', '--resources', '-', id], { input: fd });
    try {
      // By the time of the second answer the first call has been heard.
      const others = (async () => [await oci.run('list'), await oci.run('list')])();
      let codes: readonly number[] | undefined;
      void others.then((runs) => (codes = runs.map(({ code }) => code)));
      expect(await waitFor('the answers', () => codes, 3_000)).toEqual([0, 0]);
    } finally {
      waits.kill();
      // Whoever reads it goes on.
      writeSync(fd, '{"pids":{"limit":41}}');
      closeSync(fd);
    }
  });
});

describe('pause and resume', () => {
  it('stop every process, and let all go on', async () => {
    const { id, out } = await oci.running(
      'trap "echo told; exit" TERM; echo up; while :; do sleep 0.01; done',
    );
    await waitFor('its line', () => out() === 'up\n');
    mustWork(await oci.run('pause', id));
    expect(await oci.status(id)).toBe('paused');
    expect(await oci.run('pause', id)).toEqual(refused(/container not running: it is paused/));
    mustWork(await oci.run('kill', id, 'TERM'));
    expect([await oci.status(id), out()]).toEqual(['paused', 'up\n']);
    mustWork(await oci.run('resume', id));
    await waitFor('its line', () => out() === 'up\ntold\n');
  });

  it('resume of what runs is refused', async () => {
    expect(await oci.run('resume', (await sleeper()).id)).toEqual(refused(/not paused/));
  });
});

describe('ps', () => {
  it('shows the processes as a table of ps, or their numbers as JSON', async () => {
    const { id } = await oci.running('sleep 1000 & exec sleep 2000');
    const procs = () => oci.groupFile(id, 'cgroup.procs')?.split('\n') ?? [];
    await waitFor('both', async () => {
      const { out } = mustWork(await oci.run('ps', id, '-o', 'pid,args'));
      return out.includes('sleep 1000') && out.includes('sleep 2000');
    });
    const json = mustWork(await oci.run('ps', '--format', 'json', id)).out;
    expect((JSON.parse(json) as number[]).map(String).toSorted()).toEqual(procs().toSorted());
    const [head = '', ...rows] = mustWork(await oci.run('ps', id))
      .out.trim()
      .split('\n');
    expect([head.split(/\s+/).slice(0, 3), rows.length]).toEqual([['UID', 'PID', 'PPID'], 2]);
    expect(await oci.run('ps', id, '-o', 'args')).toEqual(refused(/no column PID/));
  });
});

describe('processes in groups that were made below the container’s', () => {
  /** Two in the host's pid namespace, one of them in such a group. */
  async function divided() {
    const { id, pid } = await oci.running('sleep 1000 & exec sleep 2000', {
      linux: { namespaces: [{ type: 'mount' }] },
    });
    const below = await waitFor('both', () => {
      const pids = oci.groupFile(id, 'cgroup.procs')?.split('\n').map(Number) ?? [];
      return pids.find((each) => each !== pid);
    });
    for (const { path } of oci.groups(id).filter(({ controller }) => controller !== 'cpuset')) {
      mkdirSync(`${path}/below`);
      writeFileSync(`${path}/below/cgroup.procs`, String(below));
    }
    return { id, pids: [pid, below] };
  }

  it('are shown by ps', async () => {
    const { id, pids } = await divided();
    const json = mustWork(await oci.run('ps', '--format', 'json', id)).out;
    expect(new Set(JSON.parse(json) as number[])).toEqual(new Set(pids));
  });

  it('are killed by kill --all', async () => {
    const { id, pids } = await divided();
    mustWork(await oci.run('kill', '--all', id, 'KILL'));
    await waitFor('their end', () => !pids.some(isRunning), 2_000);
  });

  it('are ended by delete', async () => {
    const { id, pids } = await divided();
    mustWork(await oci.run('delete', '--force', id));
    await waitFor('their end', () => !pids.some(isRunning));
    expect(oci.groups(id)).toEqual([]);
  });
});

describe('events', () => {
  it('--stats tells what the container uses and may use', async () => {
    const { id } = await sleeper({ pids: { limit: 9 }, memory: { limit: 64 * mib } });
    const { out } = mustWork(await oci.run('events', '--stats', id));
    expect(JSON.parse(out)).toMatchObject({
      ...{ type: 'stats', id },
      data: {
        cpu: { usage: { total: expect.any(Number) } },
        memory: { usage: { limit: 64 * mib, usage: expect.any(Number) } },
        pids: { current: 1, limit: 9 },
      },
    });
  });

  it.each(['0.01', '10ms', '0.01s'])(
    'without it tells again after %s, until the end of the container',
    async (interval) => {
      const { id } = await sleeper();
      const events = oci.begin(['events', '--interval', interval, id]);
      try {
        await waitFor('three', () => events.out().split('\n').length > 3, 3_000);
        mustWork(await oci.run('kill', id, 'KILL'));
        expect((await events.ended).code).toBe(0);
      } finally {
        events.kill();
      }
      const [, last = '{}'] = events.out().trim().split('\n');
      expect(JSON.parse(last)).toMatchObject({ type: 'stats', id });
    },
  );
});

describe('delete', () => {
  it('ends whatever of it runs, and removes groups that were made below', async () => {
    const { id } = await oci.running('setsid sleep 1000 & exec sleep 2000', {
      linux: { namespaces: [{ type: 'mount' }] },
    });
    const procs = () => (oci.groupFile(id, 'cgroup.procs') ?? '').split('\n').map(Number);
    await waitFor('both', () => procs().length === 2);
    const pids = procs();
    for (const { path } of oci.groups(id)) mkdirSync(`${path}/below/more`, { recursive: true });
    mustWork(await oci.run('delete', '--force', id));
    expect([oci.groups(id), pids.map(isRunning)]).toEqual([[], [false, false]]);
  });
});
