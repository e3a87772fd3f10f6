import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir, open, writeFile } from 'node:fs/promises';
import { type IncomingMessage, request } from 'node:http';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { systemClock } from '../../base/clock.ts';
import { removeCgroupsOf } from '../../dev/cgroup-parent.ts';
import { buildHelloImage } from '../../dev/images/hello-image.ts';
import { ensurePackages } from '../../dev/images/packages.ts';
import { type Run, runProgram } from './run-program.ts';
import { waitFor } from './wait-for.ts';

/** Debian's docker, containerd and runc, with the image hello:1. */
export interface Docker {
  /** The command line. */
  run(...args: readonly string[]): Promise<Run>;
  /** The API; throws for an answer that isn't 2xx. */
  post(path: string, body?: unknown): Promise<Record<string, string>>;
  /** The first process: all the others are below it. */
  readonly pid: number;
  stop(): Promise<void>;
}

/**
 * In mount, network and pid namespaces of its own, the folders that it writes to among them: its bridge, its mounts and
 * its processes go with its first process; its cgroups are below ours. Without iptables, which makes it faster. `runtime`:
 * a path of another OCI runtime.
 */
export async function startDocker(
  dir: string,
  cacheDir: string,
  runtime = 'runc',
): Promise<Docker> {
  const packages = await ensurePackages(['docker.io', 'containerd', 'runc'], cacheDir);
  const bin = packages.flatMap(({ directory }) => [
    join(directory, 'usr/bin'),
    join(directory, 'usr/sbin'),
  ]);
  const env = { PATH: `${bin.join(':')}:${process.env.PATH}`, DOCKER_HOST: `unix://${dir}/sock` };
  const cgroups = `orc-bench-${process.pid}`;
  await mkdir(join(dir, 'etc'), { recursive: true });
  await mkdir(join(dir, 'etc-work'));
  const log = await open(join(dir, 'docker.log'), 'w');
  const namespaces = ['--mount', '--net', '--pid', '--fork', '--mount-proc', '--kill-child'];
  const child = spawn('unshare', [...namespaces, 'sh', '-ec', script, dir, cgroups, runtime], {
    stdio: ['ignore', log.fd, log.fd],
    env: { ...process.env, ...env },
  });
  await log.close();
  const ended = new Promise((resolve) => child.once('exit', resolve));
  const run = (...args: readonly string[]) => runProgram('docker', args, { env });
  await waitFor('dockerd', async () => (await run('version')).code === 0, 30_000);
  await loadHello(dir, cacheDir, env);
  return {
    run,
    post: (path, body) => post(`${dir}/sock`, path, body),
    pid: child.pid ?? 0,
    async stop() {
      child.kill('SIGKILL');
      await ended;
      await removeCgroupsOf(cgroups, systemClock());
    },
  };
}

const script = `
  mount --make-rprivate /
  for folder in /run /opt; do mount -t tmpfs tmpfs $folder; done
  mount -t overlay -o "lowerdir=/etc,upperdir=$0/etc,workdir=$0/etc-work" overlay /etc
  ip link set lo up
  containerd --root "$0/containerd" --state /run/containerd --address /run/containerd.sock &
  until [ -S /run/containerd.sock ]; do sleep 0.1; done
  exec dockerd --containerd /run/containerd.sock --data-root "$0/docker" --exec-root /run/docker \\
    --pidfile /run/docker.pid -H "$DOCKER_HOST" --iptables=false --storage-driver overlay2 \\
    --cgroup-parent "$1" $([ "$2" = runc ] || echo --add-runtime "chosen=$2" --default-runtime chosen)`;

/** `docker load` of this age knows its own archive format only: the OCI blobs and a list of them. */
async function loadHello(dir: string, cacheDir: string, env: Record<string, string>) {
  const image = await buildHelloImage(cacheDir);
  const archive = join(dir, 'hello');
  await cp(image.directory, archive, { recursive: true });
  const blob = ({ digest }: { readonly digest: string }) => `blobs/${digest.replace(':', '/')}`;
  const list = [
    { Config: blob(image.config), RepoTags: ['hello:1'], Layers: image.layers.map(blob) },
  ];
  await writeFile(join(archive, 'manifest.json'), JSON.stringify(list));
  const { code, err } = await runProgram(
    'sh',
    ['-c', 'tar -C "$0" -c manifest.json blobs | docker load', archive],
    { env },
  );
  if (code !== 0) throw new Error(`docker load: ${err}`);
}

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
