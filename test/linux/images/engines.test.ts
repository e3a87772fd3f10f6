import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildHelloImage } from '../../../dev/images/hello-image.ts';
import { ensurePackages } from '../../../dev/images/packages.ts';
import { pushImage } from '../../../dev/images/push-image.ts';
import { type Registry, startRegistry } from '../../../dev/images/registry.ts';
import { openContainerd } from '../../support/containerd-engine.ts';
import { cacheDirectory } from '../../support/debian-image.ts';
import { type Engine, openDocker } from '../../support/docker-engine.ts';
import { type ImageNode, openImageNode } from '../../support/image-node.ts';
import { openPodman } from '../../support/podman-engine.ts';
import { runProgram } from '../../support/run-program.ts';

const name = 'docker.io/team/hello:1';
let directory: string;
let registry: Registry;
let node: ImageNode;
let id: string;
/** What orc exports. */
let archive: string;
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'orc-engines-'));
  const place = { dataDir: join(directory, 'registry'), cacheDir: cacheDirectory };
  registry = await startRegistry({ address: '127.0.0.1', port: 0, ...place });
  const hello = await buildHelloImage(cacheDirectory);
  await pushImage(hello, { registry: registry.url, repository: 'hello', tag: '1' });
  node = await openImageNode([new URL(registry.url).host]);
  const reference = `${new URL(registry.url).host}/hello:1`;
  await node.ask('pull', { words: [reference] });
  // From here on it is called as it would be at docker's.
  const first = await exported(reference, 'first.tar');
  await node.ask('rm', { words: [reference] });
  await node.ask('import', { name }, readFileSync(first));
  archive = await exported(name, 'exported.tar');
  id = hello.config.digest;
}, 120_000);
afterAll(async () => {
  await node?.close();
  await registry?.stop();
  rmSync(directory, { recursive: true, force: true });
});

async function exported(word: string, file: string): Promise<string> {
  const { result } = await node.ask('export', { words: [word] });
  await writeFile(join(directory, file), result as Readable);
  return join(directory, file);
}

/** What somebody else made of it is the same image again. */
async function imported(file: string, wanted?: string): Promise<void> {
  await node.ask('rm', { words: [name] });
  expect(node.entries()).toMatchObject({ blobs: 0, layers: 0 });
  await node.ask('import', wanted === undefined ? {} : { name: wanted }, readFileSync(file));
  expect(await node.images()).toMatchObject([{ id, names: [name] }]);
  const { layers = [] } = (await node.store.find(name)) ?? {};
  expect(readFileSync(join(layers.at(-1) ?? '', 'bin/hello'), 'utf8')).toContain('httpd');
  expect((await node.ask('check')).result).toBeNull();
}

async function said({ run }: Pick<Engine, 'run'>, ...words: readonly string[]): Promise<string> {
  const { code, out, err } = await run(...words);
  if (code !== 0) throw new Error(`${words.join(' ')}: ${code} ${err}`);
  return out.trim();
}

const engines = [
  {
    engine: 'docker',
    open: openDocker,
    load: ['load', '-i'],
    shows: { words: ['image', 'inspect', '-f', '{{.Id}}', name], id: () => id },
    saves: [{ words: (file: string) => ['save', '-o', file, name] }],
  },
  {
    engine: 'podman',
    open: openPodman,
    load: ['load', '-i'],
    shows: { words: ['image', 'inspect', '-f', '{{.Id}}', name], id: () => id.slice(7) },
    saves: [
      { words: (file: string) => ['save', '--format', 'docker-archive', '-o', file, name] },
      { words: (file: string) => ['save', '--format', 'oci-archive', '-o', file, name] },
    ],
  },
  {
    engine: 'containerd',
    open: openContainerd,
    load: ['image', 'import'],
    shows: { words: ['image', 'ls', '-q'], id: () => name },
    saves: [{ words: (file: string) => ['image', 'export', file, name] }],
  },
] as const;

describe.each(engines)('Debian’s $engine', ({ open, load, shows, saves }) => {
  let engine: Engine;
  let dir: string;
  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), 'orc-engine-'));
    engine = await open({ dir, cacheDir: cacheDirectory, beside: ['runc'] });
  }, 60_000);
  afterAll(async () => {
    await engine?.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  it('takes what orc exports, and orc what it saves', async () => {
    await said(engine, ...load, archive);
    expect(await said(engine, ...shows.words)).toBe(shows.id());
    for (const [i, { words }] of saves.entries()) {
      const file = join(dir, `saved-${i}.tar`);
      await said(engine, ...words(file));
      await imported(file);
    }
  });
});

describe('tools for archives', () => {
  const tool = async (program: string, ...words: readonly string[]) => {
    const packages = ['skopeo', 'umoci', 'libgpgme11', 'libassuan0', 'libdevmapper1.02.1'];
    const found = await ensurePackages(packages, cacheDirectory);
    const machine = process.arch === 'x64' ? 'x86_64' : 'aarch64';
    const libraries = found.map(({ directory: path }) => `${path}/usr/lib/${machine}-linux-gnu`);
    const paths = found.map(({ directory: path }) => `${path}/usr/bin`);
    const env = {
      LD_LIBRARY_PATH: libraries.join(':'),
      PATH: [...paths, process.env.PATH].join(':'),
    };
    return said({ run: (...args) => runProgram(program, args, { env }) }, ...words);
  };

  it.each(['oci-archive', 'docker-archive'])(
    'skopeo makes one of kind %s of it, and the other way',
    async (kind) => {
      const copy = join(directory, `${kind}.tar`);
      const to = kind === 'oci-archive' ? `${kind}:${copy}` : `${kind}:${copy}:${name}`;
      await tool('skopeo', '--insecure-policy', 'copy', `oci-archive:${archive}:${name}`, to);
      await imported(copy, kind === 'oci-archive' ? name : undefined);
      const shown = JSON.parse(
        await tool('skopeo', 'inspect', `docker-archive:${archive}:${name}`),
      );
      expect(shown.Layers.length).toBe(2);
    },
  );

  it('umoci unpacks it', async () => {
    const layout = join(directory, 'layout');
    mkdirSync(layout);
    await said({ run: (...args) => runProgram('tar', args, {}) }, 'xf', archive, '-C', layout);
    expect(await tool('umoci', 'ls', '--layout', layout)).toBe(name);
    await tool('umoci', 'unpack', '--image', `${layout}:${name}`, join(directory, 'bundle'));
    const program = join(directory, 'bundle/rootfs/bin/hello');
    expect(readFileSync(program, 'utf8')).toContain('httpd');
  });
});
