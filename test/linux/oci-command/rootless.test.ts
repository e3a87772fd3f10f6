import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { OciSpec } from '../../../agent/oci/oci-spec.ts';
import { type OciProgram, openOciProgram } from '../../support/oci-program.ts';

const uid = 12_345;
const asUser = ['setpriv', `--reuid=${uid}`, `--regid=${uid}`, '--clear-groups'];

/** Its sources and Node are where only root may look, in some checkouts. */
const isReadable =
  spawnSync(asUser[0]!, [...asUser.slice(1), 'test', '-r', import.meta.filename]).status === 0;

describe.skipIf(!isReadable)(
  'a user who is not root (skipped where the checkout is root’s)',
  () => {
    let oci: OciProgram;
    let dir: string;

    beforeAll(async () => {
      oci = await openOciProgram();
      dir = `${oci.dir}/user`;
      chmodSync(oci.dir, 0o755);
      mkdirSync(`${dir}/run`, { recursive: true });
      cpSync(oci.rootfs, `${dir}/rootfs`, { recursive: true, verbatimSymlinks: true });
      execFileSync('chown', ['-hR', `${uid}:${uid}`, dir]);
      await call('spec', '--rootless');
    });
    afterAll(async () => {
      const { out } = await call('list', '--quiet');
      for (const id of out.split('\n').filter(Boolean)) await call('delete', '--force', id);
      await oci[Symbol.asyncDispose]();
    });

    const call = (...words: readonly string[]) => {
      const env = ['env', '-i', 'PATH=/usr/bin:/bin', `XDG_RUNTIME_DIR=${dir}/run`];
      return oci.call(['--root', `${dir}/state`, ...words], { by: [...asUser, ...env], cwd: dir });
    };

    const configure = (script: string, linux: Partial<OciSpec['linux']> = {}) => {
      const spec = JSON.parse(readFileSync(`${dir}/config.json`, 'utf8')) as OciSpec;
      const process = { ...spec.process, terminal: false, args: ['sh', '-c', script] };
      const changed = { ...spec, process, linux: { ...spec.linux, ...linux } };
      writeFileSync(`${dir}/config.json`, JSON.stringify(changed));
    };

    it('runs a container as its root, and is nobody else in it', async () => {
      configure(
        'id -u; id -g; cat /proc/self/uid_map; hostname; echo x >/dev/null && echo written',
      );
      const { code, out, err } = await call('run', 'a');
      expect({ code, err }).toEqual({ code: 0, err: '' });
      const lines = out
        .trim()
        .split('\n')
        .map((line) => line.trim().split(/\s+/).join(' '));
      expect(lines).toEqual(['0', '0', `0 ${uid} 1`, 'orc', 'written']);
    });

    it('creates, starts, enters, lists, kills and deletes one', async () => {
      configure('exec sleep 1000');
      expect(await call('create', 'b')).toMatchObject({ code: 0 });
      expect(await call('start', 'b')).toMatchObject({ code: 0, err: '' });
      const entered = await call('exec', 'b', 'sh', '-c', 'id -u; cat /proc/1/comm; exit 3');
      expect(entered).toMatchObject({ code: 3, out: '0\nsleep\n', err: '' });
      expect(await call('list', '--quiet')).toMatchObject({ code: 0, out: 'b\n' });
      expect(await call('kill', 'b', 'KILL')).toMatchObject({ code: 0 });
      expect(await call('delete', '--force', 'b')).toMatchObject({ code: 0, err: '' });
      expect(await call('list', '--quiet')).toMatchObject({ code: 0, out: '' });
    });

    it('is told that it can set no limits', async () => {
      configure('true', { resources: { pids: { limit: 5 } } });
      const { code, err } = await call('run', 'c');
      expect(code).toBe(1);
      expect(err).toContain('making cgroup');
      expect(await call('list', '--quiet')).toMatchObject({ out: '' });
    });

    it('can’t reach the containers of another user', async () => {
      const other = await oci.running('exec sleep 1000');
      const { code, err } = await call('--root', oci.root, 'state', other.id);
      expect(code).toBe(1);
      expect(err).toContain('permission denied');
      await oci.run('delete', '--force', other.id);
    });
  },
);
