import { chmod, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { useDevCluster } from '../support/dev-cluster.ts';
import { helloImage, idle, shell, shellPod } from '../support/manifests.ts';
import { type OrcRun, orc, startOrc } from '../support/orc-cli.ts';
import { containerStatus, readyPod } from '../support/pod-states.ts';

/** `orc image` on one host of a cluster, in this order. */
const cluster = useDevCluster({ nodes: 1 });

let socket: string;
let archive: string;
beforeAll(async () => {
  const { pid, dataDir } = cluster();
  const own = (await readdir('/run')).find((name) => name.startsWith(`orc-dev-${pid}-`)) ?? '';
  socket = join('/run', own, 'host1/images.sock');
  archive = join(dataDir, 'hello.tar');
});

const image = (...args: readonly string[]) => orc(['image', '--socket', socket, ...args]);
const never = { imagePullPolicy: 'Never' };
const directory = () => join(cluster().dataDir, 'host1/images');

async function done(run: Promise<OrcRun>): Promise<readonly string[]> {
  const { code, out, err } = await run;
  if (code !== 0) throw new Error(`${code}: ${err}`);
  return out.trimEnd().split('\n');
}

describe('orc image', () => {
  it('pulls, with a line for each layer in a pipe and a bar for each on a terminal', async () => {
    const { code, out, err } = await image('pull', helloImage);
    expect({ code, out }).toMatchObject({
      out: expect.stringMatching(/^registry:5000\/hello:1: sha256:\w{64}\n$/),
    });
    expect(err).toMatch(/^(\w{12}: ([\d.]+ [kM]?B|done)\n){4}$/);
    await done(image('rm', helloImage));
    const terminal = startOrc(['image', '--socket', socket, 'pull', helloImage], {
      terminal: true,
    });
    expect((await terminal.ended).out).toMatch(/\w{12} \[={20}\] done/);
  });

  it('shows what there is, and how it was made', async () => {
    const [headers, row] = await done(image('ls'));
    expect(headers).toMatch(/^REPOSITORY +TAG +IMAGE ID +SIZE +PINNED$/);
    expect(row).toMatch(/^registry:5000\/hello +1 +\w{12} +[\d.]+ [kM]B$/);
    expect(await done(image('ls', '-o', 'name'))).toEqual([helloImage]);
    expect((await done(image('ls', '-o', 'wide')))[0]).toMatch(/BLOBS +DIGEST$/);
    const [first, ...steps] = await done(image('history', helloImage));
    expect(first).toMatch(/^CREATED +CREATED BY +SIZE$/);
    expect(steps.length).toBe(2);
    expect(steps[1]).toMatch(/busybox.*[kM]B$/);
    const [json] = JSON.parse((await image('ls', '-o', 'json')).out);
    const details = JSON.parse((await image('inspect', json.id.slice(7, 19))).out);
    expect(details.record).toEqual(json);
  });

  it('exports, removes and imports it; a pod that may not pull runs from that', async () => {
    const { create, until, remove } = cluster();
    await done(image('export', helloImage, '-o', archive));
    await done(image('rm', helloImage));
    expect(await readdir(join(directory(), 'blobs'))).toEqual([]);
    await create(shellPod('early', shell(idle, never)));
    await until('pods', (pods) => {
      const pod = pods.find(({ metadata }) => metadata?.name === 'early');
      return containerStatus(pod)?.state?.waiting?.reason === 'ErrImageNeverPull';
    });
    await remove(shellPod('early', shell(idle)));
    expect(await done(image('import', archive))).toEqual([expect.stringContaining(helloImage)]);
    await create(shellPod('imported', shell(idle, never)));
    await until('pods', readyPod('imported'));
  });

  it('keeps what a pod needs, whatever it is asked', async () => {
    const { code, err } = await image('rm', helloImage);
    expect({ code, err }).toEqual({
      code: 1,
      err: `orc: a pod or a container of this node needs ${helloImage}\n`,
    });
    expect((await done(image('prune', '--all'))).at(-1)).toMatch(/^[\d.]+ MB freed$/);
    expect(await done(image('ls', '-o', 'name'))).toEqual([helloImage]);
  });

  it('pushes to the registry, from where it can be pulled by the new name', async () => {
    const copy = 'registry:5000/copies/hello:2';
    const [pushed] = await done(image('push', helloImage, copy));
    expect(pushed).toMatch(/^registry:5000\/copies\/hello:2: sha256:/);
    expect((await done(image('pull', copy))).at(-1)).toBe(pushed);
    expect((await done(image('ls'))).length).toBe(3);
    await done(image('rm', copy));
  });

  it('finds what was damaged, and mends it when no container stands on it', async () => {
    const { remove, until } = cluster();
    expect((await done(image('check'))).at(-1)).toMatch(/^5 blobs checked/);
    const layers = await readdir(join(directory(), 'layers'));
    const paths = layers.map((layer) => join(directory(), 'layers', layer, 'bin/hello'));
    const reads = await Promise.allSettled(paths.map((path) => readFile(path)));
    const path = paths[reads.findIndex(({ status }) => status === 'fulfilled')] ?? '';
    const before = await readFile(path);
    await writeFile(path, '#!/bin/sh\necho something else\n');
    await chmod(path, 0o777);
    const found = await image('check');
    expect(found).toMatchObject({ code: 1, err: 'orc: wrong and not mended: 1\n' });
    expect(found.out).toMatch(/: mode \/bin\/hello\n/);
    expect((await image('check', '--repair')).out).toContain(
      'a pod or a container of this node uses it',
    );
    await remove(shellPod('imported', shell(idle)));
    await until('pods', (pods) => pods.length === 0);
    expect((await image('check', '--repair')).code).toBe(0);
    expect(await readFile(path)).toEqual(before);
    expect((await image('check')).code).toBe(0);
  });

  it('says what is wrong with what it is asked, and where no agent is', async () => {
    const cases: readonly (readonly [readonly string[], number, RegExp])[] = [
      [['nope'], 2, /^orc: orc image has no "nope"; pull, ls, /],
      [['imprt'], 2, /did you mean "import"\?/],
      [['pull'], 2, /^orc: orc image pull: of which image\?\n$/],
      [['pull', 'a', 'b'], 2, /has no use for "b"\n$/],
      [['ls', '--repair'], 2, /^orc: orc image ls has no use for --repair\n$/],
      [['push', 'a', '--password-stdin'], 2, /--password-stdin needs --user/],
      [['ls', '-o', 'yaml'], 2, /--output must be one of wide, name, json, not yaml/],
      [['import', '/nope'], 1, /^orc: \/nope can't be read: ENOENT/],
      [['inspect', 'nope'], 1, /no image on this node is called nope/],
      [['pull', 'registry:5000/nope:1'], 1, /registry registry:5000 answered 404/],
    ];
    for (const [words, code, err] of cases)
      expect([words, await image(...words)]).toEqual([
        words,
        { code, out: '', err: expect.stringMatching(err) },
      ]);
    const nobody = await orc(['image', 'ls', '--socket', '/nowhere/images.sock']);
    expect(nobody).toMatchObject({
      code: 1,
      err: expect.stringMatching(/^orc: no agent listens at/),
    });
  });
});
