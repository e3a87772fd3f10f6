import { cp, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ensurePackages } from '../../dev/images/packages.ts';
import {
  archiveImage,
  buildShellImage,
  type Engine,
  type EngineOptions,
  openTerminal,
  pathOf,
  startApart,
  startClient,
} from './docker-engine.ts';
import { waitFor } from './wait-for.ts';

/** With the image shell:1. `runtime`: a path. */
export async function startPodman(dir: string, cacheDir: string, runtime: string): Promise<Engine> {
  const engine = await openPodman({ dir, cacheDir, runtime });
  try {
    const archive = await archiveImage(await buildShellImage(cacheDir), dir);
    const { code, err } = await engine.run('load', '-i', archive);
    if (code !== 0) throw new Error(`podman load: ${err}`);
  } catch (error) {
    await engine.stop();
    throw error;
  }
  return engine;
}

/** Debian's podman and conmon, and a bridge network called "podman". */
export async function openPodman(options: EngineOptions): Promise<Engine> {
  const { dir, cacheDir, runtime = 'runc', beside = [], sharesNetwork } = options;
  const packages = await ensurePackages([...podmanPackages, ...beside], cacheDir);
  const [podman, conmon, plugins, common] = packages.map(({ directory }) => directory);
  await mkdir(join(dir, 'etc/containers'), { recursive: true });
  const env = {
    PATH: pathOf(packages),
    CONTAINERS_CONF: join(dir, 'containers.conf'),
    CONTAINERS_STORAGE_CONF: join(dir, 'storage.conf'),
  };
  await mkdir(join(dir, 'etc/ld.so.conf.d'));
  await writeFile(join(dir, 'etc/ld.so.conf.d/podman.conf'), packages.map(librariesOf).join('\n'));
  await cp(join(common!, 'etc/containers'), join(dir, 'etc/containers'), { recursive: true });
  await mkdir(join(dir, 'networks'));
  await writeFile(join(dir, 'networks/podman.conflist'), JSON.stringify(network));
  await writeFile(
    env.CONTAINERS_CONF,
    configuration({ dir, runtime, conmon: conmon!, plugins: plugins!, common: common! }),
  );
  await writeFile(env.CONTAINERS_STORAGE_CONF, storage(dir));
  const apart = await startApart({ dir, env, args: [], script, sharesNetwork });
  const command = (args: readonly string[]) => [
    join(podman!, 'usr/bin/podman'),
    ...withGroup(args, apart.cgroups),
  ];
  const run = (...args: readonly string[]) => apart.run(...command(args));
  try {
    const ready = async () => (await apart.run('test', '-d', '/run/ready')).code === 0;
    await waitFor('its namespaces', ready, 10_000);
  } catch (error) {
    await apart.stop();
    throw error;
  }
  const whole = (args: readonly string[]) => [...apart.enter, ...command(args)];
  return {
    run,
    start: (...args) => startClient(whole(args), env),
    onTerminal: (...args) => openTerminal(whole(args), env),
    pid: apart.pid,
    stop: apart.stop,
  };
}

/** Programs, then libraries. */
export const podmanPackages = [
  ...['podman', 'conmon', 'containernetworking-plugins'],
  'golang-github-containers-common',
  ...['libdevmapper1.02.1', 'libgpgme11', 'libseccomp2', 'libsubid4', 'libassuan0'],
  ...['libgpg-error0', 'libglib2.0-0', 'libsystemd0'],
];

const machine = process.arch === 'x64' ? 'x86_64' : 'aarch64';
const librariesOf = ({ directory }: { readonly directory: string }) =>
  ['usr/lib', 'lib'].map((lib) => `${directory}/${lib}/${machine}-linux-gnu`).join('\n');

/** Also what conmon starts, with few variables, finds the libraries. Whose parent ends gets this one, which waits for all. */
const script = `
  for folder in /var/cache /dev/shm; do mount -t tmpfs tmpfs $folder; done
  ldconfig -X
  mkdir /run/ready
  sleep infinity &
  wait $!`;

const withGroup = ([verb = '', ...rest]: readonly string[], cgroups: string) =>
  verb === 'run' || verb === 'create'
    ? [verb, '--cgroups=no-conmon', '--cgroup-parent', cgroups, ...rest]
    : [verb, ...rest];

interface Places {
  readonly dir: string;
  readonly runtime: string;
  readonly conmon: string;
  readonly plugins: string;
  readonly common: string;
}

/** The limits are those that root without CAP_SYS_RESOURCE may have. */
const configuration = ({ dir, runtime, conmon, plugins, common }: Places) => `
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1000:1000"]
seccomp_profile = "${common}/usr/share/containers/seccomp.json"
log_driver = "k8s-file"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "none"
conmon_path = ["${conmon}/usr/bin/conmon"]
runtime = "${runtime}"
tmp_dir = "/run/libpod"
[network]
network_backend = "cni"
cni_plugin_dirs = ["${plugins}/usr/lib/cni"]
network_config_dir = "${dir}/networks"
`;

const storage = (dir: string) => `
[storage]
driver = "overlay"
runroot = "/run/containers"
graphroot = "${dir}/storage"
`;

/** Without the plugins that need iptables. */
const network = {
  cniVersion: '0.4.0',
  name: 'podman',
  plugins: [
    {
      type: 'bridge',
      bridge: 'cni-podman0',
      isGateway: true,
      ipam: {
        type: 'host-local',
        routes: [{ dst: '0.0.0.0/0' }],
        ranges: [[{ subnet: '10.88.0.0/16', gateway: '10.88.0.1' }]],
      },
    },
  ],
};
