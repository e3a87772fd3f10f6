import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runProgram } from '../../support/run-program.ts';

const executable = new URL('../../../orc.ts', import.meta.url).pathname;

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'orc-doctor-'));
});
afterAll(() => rm(directory, { recursive: true }));

interface Finding {
  readonly result: string;
  readonly what: string;
  readonly found?: string;
}

/** In mount and network namespaces of its own, after `breakage` (sh) has been done to them; `orc` is run by `as`. */
function inBrokenHost(breakage: string, args: readonly string[], as = '') {
  const orc = `${as} "$@"`;
  return runProgram('unshare', [
    ...['--mount', '--net', '--propagation', 'private', 'sh', '-ec'],
    ...[`ip link set lo up\n${breakage}\n${orc}`, 'sh', process.execPath, executable, ...args],
  ]);
}

/** What isn't as it should be, but for what this machine may be like itself. */
async function troubles(breakage: string, as?: string): Promise<readonly Finding[]> {
  const { out, err } = await inBrokenHost(
    breakage,
    ['doctor', '--data-dir', directory, '-o', 'json'],
    as,
  );
  // libnftables speaks for itself there.
  if (as === undefined) expect(err).toBe('');
  const findings = JSON.parse(out) as readonly Finding[];
  expect(findings.length).toBeGreaterThan(15);
  return findings.filter(
    ({ result, what }) => result !== 'ok' && !/^(clock|memory|no swap|the name)/.test(what),
  );
}

const withoutNetAdmin = 'setpriv --bounding-set -net_admin --inh-caps -net_admin';

describe('orc doctor', () => {
  it('finds nothing on a machine that can be a node, and leaves nothing behind', async () => {
    expect(await troubles('')).toEqual([]);
    expect(await readdir(directory)).toEqual([]);
  });

  it('names cgroups that are read-only, and a disk that is full', async () => {
    const breakage = `
      while read -r _ at type _; do
        case $type in cgroup|cgroup2) mount -o remount,bind,ro "$at" ;; esac
      done </proc/mounts
      mount -t tmpfs -o size=8m tmpfs ${directory}
      head -c 9000000 /dev/zero >${directory}/much || true`;
    const found = await troubles(`{ ${breakage}\n} 2>/dev/null`);
    expect(found, 'which does not keep an agent from starting').toMatchObject([
      { result: 'FAIL', what: 'cgroups to write', found: expect.stringContaining('EROFS') },
      { result: 'FAIL', what: 'room on the disk', found: expect.stringMatching(/^\d%/) },
    ]);
  });

  it('names a data directory that overlayfs can’t be on', async () => {
    const found = await troubles(`
      mount -t tmpfs tmpfs ${directory}; cd ${directory}; mkdir l u w
      mount -t overlay overlay -o lowerdir=l,upperdir=u,workdir=w ${directory}`);
    expect(found.map(({ what }) => what)).toEqual(['overlayfs', 'layers with other users']);
  });

  it('names a taken port, a network in the cluster’s addresses and a firewall', async () => {
    const listen = "require('net').createServer().listen(6443, () => console.log())";
    expect(
      await troubles(`
        ip route add 10.245.0.0/16 dev lo
        nft 'add table ip filter; add chain ip filter FORWARD { type filter hook forward priority 0; policy drop; }'
        mkfifo ${directory}/ready
        setpriv --pdeathsig KILL "$1" -e "${listen}" >${directory}/ready &
        read -r _ <${directory}/ready
        rm ${directory}/ready`),
    ).toMatchObject([
      { result: 'FAIL', what: 'ports', found: 'something else listens at 6443' },
      {
        result: 'FAIL',
        what: "the cluster's addresses",
        found: expect.stringMatching('10.245.0.0/16'),
      },
      {
        result: 'warn',
        what: 'no firewall before pods',
        found: expect.stringMatching('ip filter FORWARD'),
      },
    ]);
  });

  it('names what may not be done to the network', async () => {
    const found = await troubles('', withoutNetAdmin);
    expect(found.map(({ what }) => what)).toEqual([
      'nftables',
      'rules of Services',
      'links of pods',
    ]);
  });
});

describe('an agent on a machine that can’t be a node', () => {
  it('says so before it does anything else', async () => {
    const flags = ['--controller', '127.0.0.1:1', '--address', '127.0.0.1', '--run-dir', directory];
    const args = ['agent', '--data-dir', join(directory, 'agent'), ...flags];
    const { code, err } = await inBrokenHost('', args, withoutNetAdmin);
    expect(err).toMatch(/this machine can't be a node\nFAIL {3}nftables: .* — apt install/);
    expect(code).toBe(1);
  });
});
