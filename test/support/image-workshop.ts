import { readFileSync } from 'node:fs';
import { cp, mkdir, mkdtemp, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { blobPath, type Descriptor, type OciImage } from '../../dev/images/oci-image.ts';
import { ensurePackages } from '../../dev/images/packages.ts';
import { type Docker, openDocker, pathOf } from './docker-engine.ts';
import type { TestRegistry } from './registry.ts';
import { type Run, runProgram } from './run-program.ts';
import { listTree, type TreeFile } from './tree-listing.ts';

/** A directory in OCI's image layout, with one image in it, tagged "1". */
export type Layout = string;

/** What others make images with and unpack them with. Everything is below a directory that the caller removes. */
export interface Workshop {
  /** Another empty directory. */
  directory(name: string): Promise<string>;
  /** Debian's own programs: their output; throws when they fail. */
  skopeo(...args: readonly string[]): Promise<string>;
  umoci(...args: readonly string[]): Promise<string>;
  /** With `b` for buildah and its storage, in a mount namespace of its own. */
  buildahScript(script: string): Promise<string>;
  readonly docker: Docker;
  /** An image that docker has. */
  saveFromDocker(image: string): Promise<Layout>;
  /** The layers' directories, lowest first, as docker has them on disk. */
  dockerLayers(layout: Layout): Promise<readonly string[]>;
  umociRoot(layout: Layout): Promise<string>;
  stop(): Promise<void>;
}

/** Programs, then libraries. */
const packageNames = [
  ...['umoci', 'skopeo', 'buildah'],
  ...['libdevmapper1.02.1', 'libgpgme11', 'libseccomp2', 'libassuan0', 'libgpg-error0'],
];

export async function openWorkshop(dir: string, cacheDir: string): Promise<Workshop> {
  const packages = await ensurePackages(packageNames, cacheDir);
  const libraries = packages.map(({ directory }) => `${directory}/usr/lib/${machine}-linux-gnu`);
  const env = { PATH: pathOf(packages), LD_LIBRARY_PATH: libraries.join(':') };
  const policy = join(dir, 'policy.json');
  await mkdir(join(dir, 'docker'), { recursive: true });
  await writeFile(policy, '{"default":[{"type":"insecureAcceptAnything"}]}');
  const docker = await openDocker({ dir: join(dir, 'docker'), cacheDir });
  const directory = (name: string) => mkdtemp(join(dir, `${name}-`));
  const run = async (program: string, ...args: readonly string[]) =>
    outputOf(await runProgram(program, args, { env, cwd: dir }), [program, ...args]);
  const skopeo = (...args: readonly string[]) =>
    run('skopeo', '--policy', policy, '--tmpdir', dir, ...args);
  const loaded = async (layout: Layout) => {
    const archive = join(await directory('archive'), 'image.tar');
    const name = `image-${layout.replace(/.*-/, '').toLowerCase()}:1`;
    await skopeo('copy', `oci:${layout}:1`, `docker-archive:${archive}:${name}`);
    outputOf(await docker.run('load', '-q', '-i', archive), ['docker', 'load']);
    return name;
  };
  return {
    ...{ directory, docker, skopeo },
    umoci: (...args) => run('umoci', ...args),
    buildahScript: (script) =>
      run('unshare', '-m', 'sh', '-ec', `${ownFolders(dir)}\n${script}`, policy),
    async saveFromDocker(image) {
      const layout = await directory('layout');
      const archive = join(await directory('saved'), 'image.tar');
      outputOf(await docker.run('save', '-o', archive, image), ['docker', 'save']);
      await skopeo('copy', `docker-archive:${archive}`, `oci:${layout}:1`);
      return layout;
    },
    async dockerLayers(layout) {
      const name = await loaded(layout);
      const inspected = await docker.run(
        'image',
        'inspect',
        '-f',
        '{{json .GraphDriver.Data}}',
        name,
      );
      const { UpperDir, LowerDir } = JSON.parse(outputOf(inspected, ['docker', 'inspect']));
      const lower = LowerDir === undefined ? [] : (LowerDir as string).split(':');
      return [UpperDir as string, ...lower].toReversed();
    },
    async umociRoot(layout) {
      const bundle = join(await directory('bundle'), 'of');
      await run('umoci', 'unpack', '--image', `${layout}:1`, bundle);
      return join(bundle, 'rootfs');
    },
    stop: docker.stop,
  };
}

const machine = process.arch === 'x64' ? 'x86_64' : 'aarch64';

const ownFolders = (dir: string) => `
  mount --make-rprivate /
  mount -t tmpfs t /run
  b() {
    verb=$1; shift
    case $verb in commit|push|from) set -- --signature-policy "$0" "$@";; esac
    buildah --root ${dir}/buildah --runroot /run/buildah --storage-driver overlay $verb "$@"
  }`;

function outputOf({ code, out, err }: Run, command: readonly string[]): string {
  if (code !== 0) throw new Error(`${command.join(' ')}: ${code} ${err}`);
  return out.trim();
}

/** Of an image that dev/images has made. */
export async function layoutOf(image: OciImage, directory: string): Promise<Layout> {
  await cp(image.directory, directory, { recursive: true });
  const index = readJson<{ manifests: readonly Descriptor[] }>(join(directory, 'index.json'));
  const annotations = { 'org.opencontainers.image.ref.name': '1' };
  const manifests = index.manifests.map((one) => ({ ...one, annotations }));
  await writeFile(join(directory, 'index.json'), JSON.stringify({ ...index, manifests }));
  return directory;
}

/** Its reference. */
export function publish(layout: Layout, registry: TestRegistry, name: string): string {
  const blob = (digest: string) => readFileSync(blobPath({ directory: layout }, digest));
  const index = readJson<{ manifests: readonly Descriptor[] }>(join(layout, 'index.json'));
  for (const { digest, mediaType } of index.manifests) {
    const bytes = blob(digest);
    const manifest = JSON.parse(bytes.toString()) as { config: Descriptor; layers: Descriptor[] };
    for (const one of [manifest.config, ...manifest.layers])
      registry.blobs.set(one.digest, blob(one.digest));
    for (const key of [`${name}:1`, `${name}@${digest}`])
      registry.manifests.set(key, { mediaType, bytes });
  }
  return `${registry.host}/${name}:1`;
}

const readJson = <T>(path: string): T => JSON.parse(readFileSync(path, 'utf8')) as T;

/** What a container sees of the layers, lowest first. `directory` is empty. */
export async function listMerged(
  layers: readonly string[],
  directory: string,
): Promise<ReadonlyMap<string, TreeFile>> {
  // Of a page's room for the options each layer takes few bytes; one layer alone is no overlay.
  for (const name of ['m', 'none']) await mkdir(join(directory, name));
  for (const [i, layer] of layers.entries()) await symlink(layer, join(directory, String(i)));
  const lower = [...layers.keys()].toReversed().join(':');
  const script = 'cd "$0"; mount -t overlay -o "lowerdir=$1:none" overlay m; shift; exec "$@"';
  const enter = ['unshare', '-m', 'sh', '-ec', script, directory, lower];
  return listTree(join(directory, 'm'), enter);
}
