import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ImageStore, openImageStore } from '../../../agent/images/image-store.ts';
import { systemClock } from '../../../base/clock.ts';
import { silentLog } from '../../../base/log.ts';
import { systemRng } from '../../../base/rng.ts';
import { ensureImage } from '../../../dev/images/oci-image.ts';
import { ensurePackages } from '../../../dev/images/packages.ts';
import { nativeBinary } from '../../../native/binary.ts';
import { cacheDirectory } from '../../support/debian-image.ts';
import { archiveImage, buildShellImage } from '../../support/docker-engine.ts';
import {
  type Layout,
  layoutOf,
  listMerged,
  openWorkshop,
  publish,
  type Workshop,
} from '../../support/image-workshop.ts';
import { ghostLayers, manyLayers, oddLayers } from '../../support/odd-layers.ts';
import { serveRegistry, type TestRegistry } from '../../support/registry.ts';
import { seededRng } from '../../support/seeded-rng.ts';
import { buildNginxImage, buildRedisImage } from '../../support/server-images.ts';
import { type RawTarEntry, tarArchive } from '../../support/tar-archive.ts';
import { listTree, type TreeFile } from '../../support/tree-listing.ts';

/**
 * What a container sees of an image that orc has pulled is what it sees of docker's layers, and what `umoci unpack` makes:
 * names, types, modes, owners, times in nanoseconds, attributes, links, content.
 */
let scratch: string;
let workshop: Workshop;
let registry: TestRegistry;
let store: ImageStore;

beforeAll(async () => {
  scratch = mkdtempSync(join(tmpdir(), 'orc-parity-'));
  workshop = await openWorkshop(scratch, cacheDirectory);
  registry = await serveRegistry();
  store = await openImageStore({
    directory: join(scratch, 'images'),
    network: {
      insecure: [registry.host],
      proxySocket: undefined,
      connectTimeoutMs: 2000,
      idleTimeoutMs: 5000,
    },
    writer: [nativeBinary, 'orc-unpack'],
    ...{ clock: systemClock(), rng: systemRng(), log: silentLog },
  });
}, 120_000);

afterAll(async () => {
  await store.close();
  await registry.close();
  await workshop.stop();
  rmSync(scratch, { recursive: true, force: true });
}, 120_000);

type Tree = ReadonlyMap<string, TreeFile>;

const unpackers = {
  async orc(layout: Layout): Promise<Tree> {
    const name = layout.replace(/.*-/, '').toLowerCase();
    const reference = publish(layout, registry, name);
    const pull = { reference, credentials: [], onProgress: () => {} };
    const { layers } = await store.pull(pull, new AbortController().signal);
    return listMerged(layers, await workshop.directory('orc'));
  },
  docker: async (layout: Layout): Promise<Tree> =>
    listMerged(await workshop.dockerLayers(layout), await workshop.directory('docker')),
  umoci: async (layout: Layout): Promise<Tree> => listTree(await workshop.umociRoot(layout)),
};

/** By path and what differs. The root's time is left out: docker passes over "./", and without it there is none. */
function differences(ours: Tree, theirs: Tree): Record<string, string> {
  const found: Record<string, string> = {};
  for (const path of new Set([...ours.keys(), ...theirs.keys()])) {
    const [one, other] = [ours.get(path), theirs.get(path)];
    if (!one || !other) {
      found[path] = one ? 'only ours' : 'only theirs';
      continue;
    }
    for (const key of Object.keys(one) as (keyof TreeFile)[]) {
      const [a, b] = [String(one[key]), String(other[key])];
      if (a !== b && `${path} ${key}` !== '. mtime') found[`${path} ${key}`] = `${a} not ${b}`;
    }
  }
  return found;
}

/** The same for all three, but for what is said; what it is. */
async function same(layout: Layout, but = /^$/): Promise<Tree> {
  const orc = await unpackers.orc(layout);
  for (const other of ['docker', 'umoci'] as const) {
    const found = differences(orc, await unpackers[other](layout));
    for (const known of Object.keys(found).filter((key) => but.test(key))) delete found[known];
    expect([other, found]).toEqual([other, {}]);
  }
  return orc;
}

async function imageOf(tars: readonly Buffer[]): Promise<Layout> {
  const directory = await workshop.directory('own');
  const image = await ensureImage(
    {
      ...{ name: 'own', key: '1', index: false, compression: 'gzip', config: { Env: [] } },
      layers: tars.map((_, i) => ({ comment: String(i) })),
      tars: async () => tars,
    },
    directory,
  );
  return layoutOf(image, await workshop.directory('layout'));
}

describe('an image of Debian packages', () => {
  it.each([
    ['busybox', buildShellImage],
    ['nginx', buildNginxImage],
    ['redis', buildRedisImage],
  ])('is the same to all: %s', async (_, build) => {
    const image = await build(cacheDirectory);
    const tree = await same(await layoutOf(image, await workshop.directory('layout')));
    expect(tree.size).toBeGreaterThan(250);
  });

  it('is the same to all: 12,000 files, a layer for each package', async () => {
    const names = ['libc6', 'libc-bin', 'coreutils', 'bash', 'perl-base', 'perl-modules-5.36'];
    const large = [
      'tzdata',
      'ncurses-term',
      'vim-runtime',
      'git',
      'libpython3.11-stdlib',
      'locales',
      'linux-libc-dev',
    ];
    const packages = await ensurePackages([...names, ...large], cacheDirectory);
    const tars = packages.map(({ file }) =>
      execFileSync('dpkg', ['--fsys-tarfile', join(cacheDirectory, 'debs', file)], {
        maxBuffer: 1 << 28,
      }),
    );
    expect((await same(await imageOf(tars))).size).toBeGreaterThan(12_000);
  });
});

describe('an image with all that is odd', () => {
  it('is the same to all as it was made', async () => {
    const tree = await same(await imageOf(oddLayers()));
    expect(tree.get('kinds/ping')?.xattrs[0]).toMatch(/^security.capability=0100/);
    expect(tree.get('links/other/c')).toMatchObject({ type: 'hard-link', link: 'links/b' });
    expect(tree.get('kinds/disk')?.device).toBe('259:1000');
    expect(tree.has('gone/a')).toBe(false);
  });

  it('is the same to all with 125 layers, which docker allows; with 127 to umoci', async () => {
    await same(await imageOf(manyLayers(seededRng(3), 125)));
    const layout = await imageOf(manyLayers(seededRng(4), 127));
    const [orc, umoci] = [await unpackers.orc(layout), await unpackers.umoci(layout)];
    expect(differences(orc, umoci)).toEqual({});
  });

  it.each(['pax --sparse-version=0.0', 'pax --sparse-version=0.1', 'pax', 'gnu'])(
    'is the same to all with a sparse file of GNU tar’s format %s, but that two refuse the last',
    async (format) => {
      const context = await workshop.directory('context');
      const make = 'truncate -s 8M sparse; printf end >>sparse; tar -cSf - --format=$0 sparse';
      const script = make.replace('$0', format);
      const layout = await imageOf([execFileSync('sh', ['-ec', script], { cwd: context })]);
      if (format !== 'gnu') await same(layout);
      else
        for (const other of ['docker', 'umoci'] as const)
          await expect(unpackers[other](layout)).rejects.toThrow();
      const [first] = [...(await unpackers.orc(layout)).values()].filter(
        ({ type }) => type === 'file',
      );
      expect(first?.content).toMatch(/^8388611 /);
    },
  );

  /** What a builder adds to it and takes away, as shell commands at its root. */
  const changes = `
    rm -r gone names changes/to-file gone-file; mkdir changes/to-file; echo x >changes/to-file/x
    rm -r emptied; mkdir -m 711 emptied; echo new >emptied/new
    ln links/a links/further; mv links/b links/moved; ln -s a links/soft
    chown 1000:1001 kinds/noted; chmod 4755 kinds/set-id; rm kinds/null
    truncate -s 3000000 sparse; printf end >>sparse; touch -r links/moved sparse`;

  it('is the same to all as docker builds it', async () => {
    const directory = await workshop.directory('context');
    const archive = await archiveImage(await buildShellImage(cacheDirectory), directory);
    await workshop.docker.run('load', '-q', '-i', archive);
    const context = join(directory, 'context');
    mkdirSync(context);
    writeFileSync(join(context, 'odd.tar'), oddLayers()[0]!);
    writeFileSync(join(context, 'script'), changes);
    const lines = ['FROM shell:1', 'ADD odd.tar /', 'COPY script /', 'RUN sh -e /script'];
    writeFileSync(join(context, 'Dockerfile'), [...lines, 'RUN rm /script', ''].join('\n'));
    const build = ['build', '-q', '--network', 'none', '-t', 'odd:1', context];
    expect(await workshop.docker.run(...build)).toMatchObject({ code: 0, err: '' });
    const tree = await same(await workshop.saveFromDocker('odd:1'));
    expect(tree.get('links/further')).toMatchObject({ type: 'hard-link' });
  });

  it('is the same to all as buildah builds it', async () => {
    const layout = await workshop.directory('layout');
    const tar = join(await workshop.directory('context'), 'odd.tar');
    writeFileSync(tar, oddLayers()[0]!);
    await workshop.buildahScript(`
      c=$(b from scratch); m=$(b mount $c)
      tar --xattrs --xattrs-include=* -C $m -xpf ${tar} 2>/dev/null
      b commit -q $c one; c=$(b from --pull-never one); m=$(b mount $c); cd $m
      ${changes}
      cd /; b commit -q $c two; b push -q two oci:${layout}:1`);
    await same(layout);
  });

  it('is the same to all as umoci packs it, and in zstd as skopeo makes it of that', async () => {
    const layout = `${await workshop.directory('layout')}/of`;
    const image = `${layout}:1`;
    const bundle = join(await workshop.directory('bundle'), 'of');
    await workshop.umoci('init', '--layout', layout);
    await workshop.umoci('new', '--image', image);
    await workshop.umoci('unpack', '--image', image, bundle);
    const options = ['--xattrs', '--xattrs-include=*', '-xpf', '-'];
    execFileSync('tar', [...options, '-C', `${bundle}/rootfs`], { input: oddLayers()[0] });
    await workshop.umoci('repack', '--image', image, '--refresh-bundle', bundle);
    execFileSync('sh', ['-ec', changes], { cwd: `${bundle}/rootfs` });
    await workshop.umoci('repack', '--image', image, bundle);
    // umoci leaves out directories that have the time, in seconds, that they had; see "only a lower layer lists".
    const tree = await same(layout, /^(kinds|changes|links|links\/other) mtime$/);
    const zstd = await workshop.directory('layout');
    const format = ['--dest-compress', '--dest-compress-format', 'zstd'];
    await workshop.skopeo('copy', ...format, `oci:${image}`, `oci:${zstd}:1`);
    expect(differences(await unpackers.orc(zstd), tree)).toEqual({});
  });
});

const dir = (path: string, more: Partial<RawTarEntry> = {}): RawTarEntry => ({
  ...{ path, flag: '5', mode: 0o755, mtime: 5 },
  ...more,
});
const file = (path: string, more: Partial<RawTarEntry> = {}): RawTarEntry => ({
  ...{ path, content: 'x', mtime: 5 },
  ...more,
});

/** All that was found; each happens, or it would not be listed. "now" is the time of unpacking. */
describe('a known difference', () => {
  const root = dir('./');
  const trusted = { 'SCHILY.xattr.trusted.note': 'x' };
  const none = { docker: {}, umoci: {} };

  it.each<[string, readonly (readonly RawTarEntry[])[], Record<'docker' | 'umoci', object>]>([
    [
      'docker and containerd pass over the entry of the root',
      [[dir('./', { mode: 0o711, uid: 5 }), file('a')]],
      { ...none, docker: { '. mode': '711 not 755', '. owner': '5:0 not 0:0' } },
    ],
    [
      'docker knows no time before 1970',
      [[root, file('a', { pax: { mtime: '-1.5' } })]],
      { ...none, docker: { 'a mtime': '-2.500000000 not 0.000000000' } },
    ],
    [
      'docker gives a file the time of the last entry of a hard link to it',
      [[root, file('a'), { path: 'b', flag: '1', link: 'a', mtime: 77 }]],
      {
        ...none,
        docker: {
          'a mtime': '5.000000000 not 77.000000000',
          'b mtime': '5.000000000 not 77.000000000',
        },
      },
    ],
    [
      'docker shows whiteouts that hide nothing, as names that can’t be opened',
      ghostLayers(),
      { ...none, docker: { failed: expect.stringMatching(/^tar of .* ended with 1$/) } },
    ],
    [
      'docker refuses a whiteout of what its own layer has; umoci leaves its time as it happens to be',
      [
        [root, dir('a'), file('a/x')],
        [root, dir('a'), file('a/y'), { path: '.wh.a' }],
      ],
      {
        docker: { failed: expect.stringContaining('file exists') },
        umoci: { 'a mtime': '5.000000000 not now' },
      },
    ],
    [
      'others keep attributes that are the host’s business',
      [[root, file('a', { pax: trusted })]],
      {
        docker: { 'a xattrs': ' not trusted.note=78' },
        umoci: { 'a xattrs': ' not trusted.note=78' },
      },
    ],
    [
      'umoci, as containerd, leaves a directory that only a lower layer lists as it is there',
      [
        [root, dir('home', { mode: 0o700, uid: 1000 })],
        [root, file('home/a')],
      ],
      {
        docker: { 'home mtime': 'now not now' },
        umoci: {
          'home mode': '755 not 700',
          'home owner': '0:0 not 1000:0',
          'home mtime': 'now not 5.000000000',
        },
      },
    ],
    [
      'umoci writes through a link of a lower layer; elsewhere a directory hides it',
      [
        [root, dir('usr'), { path: 'lib', flag: '2', link: 'usr', mtime: 5 }],
        [root, file('lib/a')],
      ],
      {
        docker: { 'lib mtime': 'now not now' },
        umoci: {
          'lib type': 'directory not symlink',
          'lib mode': '755 not 777',
          'lib mtime': 'now not 5.000000000',
          'lib link': ' not usr',
          'lib/a': 'only ours',
          'usr/a': 'only theirs',
        },
      },
    ],
    [
      'overlayfs takes a device 0:0 for a whiteout',
      [
        [root, file('a')],
        [root, { path: 'a', flag: '3' }],
      ],
      { ...none, umoci: { a: 'only theirs' } },
    ],
  ])('%s', async (_, layers, expected) => {
    const layout = await imageOf(layers.map(tarArchive));
    const orc = await unpackers.orc(layout);
    const found = { docker: {}, umoci: {} };
    for (const other of ['docker', 'umoci'] as const)
      found[other] = await unpackers[other](layout).then(
        (tree) => withoutNow(differences(orc, tree)),
        (error: Error) => ({ failed: error.message.trim() }),
      );
    expect(found).toEqual(expected);
  });

  const withoutNow = (found: Record<string, string>) =>
    JSON.parse(JSON.stringify(found).replace(/\b1[6-9]\d{8}\.\d+/g, 'now')) as object;
});
