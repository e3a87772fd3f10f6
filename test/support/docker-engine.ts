import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir, open, readFile, rm, writeFile } from 'node:fs/promises';
import { type IncomingMessage, request } from 'node:http';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { systemClock } from '../../base/clock.ts';
import { removeCgroupsOf } from '../../dev/cgroup-parent.ts';
import { buildHelloImage, path } from '../../dev/images/hello-image.ts';
import { accounts } from '../../dev/images/layer-recipe.ts';
import { buildImage, type OciImage } from '../../dev/images/oci-image.ts';
import { ensurePackages } from '../../dev/images/packages.ts';
import { type Run, runProgram } from './run-program.ts';
import { waitFor } from './wait-for.ts';

/** Debian's docker, containerd and runc, with the images hello:1 and shell:1. */
export interface Docker extends Engine {
  /** The API; throws for an answer that isn't 2xx. */
  post(path: string, body?: unknown): Promise<Record<string, string>>;
}

/** A command line for containers, and what serves it. */
export interface Engine {
  run(...args: readonly string[]): Promise<Run>;
  /** Without waiting for its end; errors go where ours go. */
  start(...args: readonly string[]): ChildProcess;
  /** On a terminal of its own, of 31 lines and 91 columns. */
  onTerminal(...args: readonly string[]): Terminal;
  /** Of what serves: all its processes are below this one. */
  readonly pid: number;
  stop(): Promise<void>;
}

export interface EngineOptions {
  /** Everything that it writes is below it. */
  readonly dir: string;
  readonly cacheDir: string;
  /** A path; another one than it would take by itself. */
  readonly runtime?: string | undefined;
  /** Packages whose programs it finds. */
  readonly beside?: readonly string[];
  /** In the caller's network namespace, for a registry there; its containers get no network then. */
  readonly sharesNetwork?: boolean;
}

export interface Terminal {
  type(keys: string): void;
  /** What it has shown so far. */
  out(): string;
  /** The exit code. */
  readonly ended: Promise<number>;
}

/** With the images hello:1 and shell:1. `runtime`: a path of another OCI runtime. */
export async function startDocker(
  dir: string,
  cacheDir: string,
  runtime?: string,
): Promise<Docker> {
  const docker = await openDocker({ dir, cacheDir, runtime });
  try {
    for (const build of [buildHelloImage, buildShellImage]) {
      const archive = await archiveImage(await build(cacheDir), dir);
      const { code, err } = await docker.run('load', '-i', archive);
      if (code !== 0) throw new Error(`docker load: ${err}`);
    }
  } catch (error) {
    await docker.stop();
    throw error;
  }
  return docker;
}

/** Without iptables, which makes it faster. */
export async function openDocker(options: EngineOptions): Promise<Docker> {
  const { dir, cacheDir, runtime = 'runc', beside = [], sharesNetwork } = options;
  const names = ['docker.io', 'containerd', 'runc', ...beside];
  const packages = await ensurePackages(names, cacheDir);
  const env = { PATH: pathOf(packages), DOCKER_HOST: `unix://${dir}/sock` };
  const args = [runtime, sharesNetwork ? '--bridge=none' : '--bridge='];
  const { pid, stop } = await startApart({ dir, env, args, script, sharesNetwork });
  const run = (...args: readonly string[]) => runProgram('docker', args, { env });
  try {
    await waitFor('dockerd', async () => (await run('version')).code === 0, 30_000);
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    run,
    start: (...args) => startClient(['docker', ...args], env),
    onTerminal: (...args) => openTerminal(['docker', ...args], env),
    post: (path, body) => post(`${dir}/sock`, path, body),
    pid,
    stop,
  };
}

const script = `
  containerd --root "$0/containerd" --state /run/containerd --address /run/containerd.sock &
  until [ -S /run/containerd.sock ]; do sleep 0.1; done
  exec dockerd --containerd /run/containerd.sock --data-root "$0/docker" --exec-root /run/docker \\
    --pidfile /run/docker.pid -H "$DOCKER_HOST" --iptables=false "$3" --storage-driver overlay2 \\
    --cgroup-parent "$1" $([ "$2" = runc ] || echo --add-runtime "chosen=$2" --default-runtime chosen)`;

/** The programs of unpacked packages, before this process's own. */
export const pathOf = (packages: readonly { readonly directory: string }[]) =>
  [
    ...packages.flatMap(({ directory }) =>
      ['usr/bin', 'usr/sbin'].map((bin) => join(directory, bin)),
    ),
    process.env.PATH,
  ].join(':');

/** A place for an engine that touches nothing of the machine's. */
export interface Apart {
  readonly pid: number;
  /** What runs a program there. */
  readonly enter: readonly string[];
  /** One that doesn't end is killed: it isn't the child that runProgram can kill. */
  run(...command: readonly string[]): Promise<Run>;
  /** Where its containers' cgroups belong, below this process's own. */
  readonly cgroups: string;
  stop(): Promise<void>;
}

interface ApartRequest {
  readonly dir: string;
  readonly env: Record<string, string>;
  /** Its own words after `dir` and the cgroup's name, which are $0 and $1. */
  readonly args: readonly string[];
  readonly script: string;
  readonly sharesNetwork?: boolean | undefined;
}

/**
 * In mount, network and pid namespaces of its own, the folders that it writes to among them: its bridge, its mounts and
 * its processes go with its first process; its cgroups are below ours.
 */
export async function startApart(request: ApartRequest): Promise<Apart> {
  const { dir, env, args, script, sharesNetwork = false } = request;
  const cgroups = `orc-engine-${process.pid}`;
  await mkdir(join(dir, 'etc'), { recursive: true });
  await mkdir(join(dir, 'etc-work'));
  const log = await open(join(dir, 'engine.log'), 'w');
  const namespaces = ['--mount', '--pid', ...(sharesNetwork ? [] : ['--net'])];
  const words = [
    ...namespaces,
    '--fork',
    '--mount-proc',
    '--kill-child',
    'sh',
    '-ec',
    `${ownFolders}${script}`,
    dir,
    cgroups,
    ...args,
  ];
  // Also when this process is killed.
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', 'unshare', ...words], {
    stdio: ['ignore', log.fd, log.fd],
    env: { ...process.env, ...env },
  });
  await log.close();
  const ended = new Promise((resolve) => child.once('exit', resolve));
  const { pid = 0 } = child;
  const spaces = `/proc/${pid}/ns`;
  const end = async () => {
    // Its end is the end of all processes there: pid_namespaces(7).
    const first = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '');
    if (child.exitCode === null) process.kill(Number(first) || pid, 'SIGKILL');
    await ended;
    await removeCgroupsOf(cgroups, systemClock());
  };
  let ending: Promise<void> | undefined;
  const enter = [
    `--mount=${spaces}/mnt`,
    `--net=${spaces}/net`,
    `--pid=${spaces}/pid_for_children`,
  ];
  return {
    pid,
    cgroups,
    enter: ['nsenter', ...enter, '--'],
    run: (...command) =>
      runProgram('nsenter', [...enter, '--', 'timeout', '-sKILL', '20', ...command], { env }),
    stop: () => (ending ??= end()),
  };
}

const ownFolders = `
  mount --make-rprivate /
  for folder in /run /opt; do mount -t tmpfs tmpfs $folder; done
  mount -t overlay -o "lowerdir=/etc,upperdir=$0/etc,workdir=$0/etc-work" overlay /etc
  ip link set lo up`;

/** Busybox and its shell. */
export const buildShellImage = (cacheDir: string): Promise<OciImage> =>
  buildImage(
    {
      name: 'shell',
      index: false,
      layers: [{ comment: 'busybox', packages: ['busybox-static'], files: accounts }],
      config: { Cmd: ['sh'], Env: [path] },
    },
    cacheDir,
  );

/** As NAME:1; engines of this age know an archive format of their own only: the OCI blobs and a list of them. */
export async function archiveImage(image: OciImage, dir: string): Promise<string> {
  const unpacked = join(dir, `${image.name}-image`);
  await cp(image.directory, unpacked, { recursive: true });
  const blob = ({ digest }: { readonly digest: string }) => `blobs/${digest.replace(':', '/')}`;
  const tags = [`${image.name}:1`];
  const list = [{ Config: blob(image.config), RepoTags: tags, Layers: image.layers.map(blob) }];
  await writeFile(join(unpacked, 'manifest.json'), JSON.stringify(list));
  const archive = `${unpacked}.tar`;
  const words = ['-C', unpacked, '-cf', archive, 'manifest.json', 'blobs'];
  const { code, err } = await runProgram('tar', words);
  if (code !== 0) throw new Error(`tar: ${err}`);
  await rm(unpacked, { recursive: true });
  return archive;
}

export const startClient = (
  [program = '', ...args]: readonly string[],
  env: Readonly<Record<string, string>>,
): ChildProcess =>
  spawn(program, args, { stdio: ['ignore', 'ignore', 'inherit'], env: { ...process.env, ...env } });

/** What runs `command` sees a terminal. */
export function openTerminal(
  command: readonly string[],
  env: Readonly<Record<string, string>>,
): Terminal {
  const line = `stty rows 31 cols 91; exec ${command.map(quoted).join(' ')}`;
  const child = spawn('script', ['-qfec', line, '/dev/null'], {
    env: { ...process.env, ...env, TERM: 'xterm' },
  });
  let out = '';
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
  child.stdin.on('error', () => {});
  const ended = new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve(code ?? -1));
  });
  return { type: (keys) => void child.stdin.write(keys), out: () => out, ended };
}

const quoted = (word: string) => `'${word.replaceAll("'", `'\\''`)}'`;

async function post(
  socketPath: string,
  path: string,
  body: unknown,
): Promise<Record<string, string>> {
  const headers = { 'content-type': 'application/json' };
  const sent = request({ socketPath, path: `/v1.41${path}`, method: 'POST', headers });
  sent.end(body === undefined ? undefined : JSON.stringify(body));
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  const answer = await text(response);
  if ((response.statusCode ?? 0) >= 300)
    throw new Error(`${path}: ${response.statusCode} ${answer}`);
  return answer === '' ? {} : JSON.parse(answer);
}
