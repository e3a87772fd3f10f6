import { resolve } from 'node:path';
import * as flags from '../base/flags.ts';
import { logLevelFlag } from '../base/log.ts';

export const devFlags = {
  nodes: flags.text('N', 'hosts with an agent each', '3').whole(1, 50),
  controllers: flags
    .text('N', 'hosts with a controller each; several need --etcd', '1')
    .whole(1, 5),
  etcd: flags.text('1|3', 'the store is etcd with so many members', '0').whole(0, 5),
  'data-dir': flags
    .text('DIR', 'keep state and kubeconfig here (default: a fresh directory, removed at the end)')
    .parsed((path) => resolve(path)),
  port: flags.text('PORT', 'API on 127.0.0.1; 0 is any free port', '6443').whole(0, 65_535),
  publish: flags.listOf(
    '[IP:]PORT:SERVICE[.NAMESPACE][:PORT]',
    "a port of this machine (0 takes a free one) for a Service's (80), once there is one",
    parsePublication,
  ),
  registry: flags.on('a registry for the hosts, as registry:5000'),
  'cache-dir': flags
    .text('DIR', 'Debian packages for the registry', '.cache')
    .parsed((path) => resolve(path)),
  'runtime-handler': flags.list('NAME=PATH', 'another OCI runtime, which every host has'),
  'ready-fd': flags.text('FD', 'write "ready" to this descriptor when all is up').whole(3, 1023),
  'log-level': logLevelFlag,
};

export interface DevConfig extends flags.ValuesOf<typeof devFlags> {
  /** This process is in a systemd scope of its own already. */
  readonly scoped: boolean;
  /** Who called sudo: files that people read are theirs. */
  readonly owner: { readonly uid: number; readonly gid: number } | undefined;
}

export const devHelp = `orc dev: a real cluster of several hosts on this machine, ended by Ctrl-C

  orc dev                         three hosts
  orc dev --nodes 5 --data-dir d  five, and their state is kept in d
  orc dev --controllers 3 --etcd 3

${flags.formatFlags(devFlags)}`;

/** Throws UsageError. */
export function readDevConfig(argv: readonly string[]): DevConfig {
  const given = flags.parseFlags(argv, devFlags);
  if (given.controllers > 1 && given.etcd === 0)
    throw new flags.UsageError(
      '--controllers needs --etcd: the embedded store is for one controller',
    );
  return { ...given, scoped: process.env.ORC_DEV_SCOPED === '1', owner: sudoCaller(process.env) };
}

/** The environment for the copy of this process inside a scope of its own. */
export const scopedEnvironment = (): NodeJS.ProcessEnv => ({ ...process.env, ORC_DEV_SCOPED: '1' });

function sudoCaller(env: NodeJS.ProcessEnv): { uid: number; gid: number } | undefined {
  const { SUDO_UID, SUDO_GID } = env;
  return SUDO_UID && SUDO_GID ? { uid: Number(SUDO_UID), gid: Number(SUDO_GID) } : undefined;
}

/** A port of this machine, 0 for any free one, that leads to a Service, "hello.default". */
export type Publication = ReturnType<typeof parsePublication>;

/** "[ADDRESS:]PORT:SERVICE[.NAMESPACE][:PORT]". Throws UsageError. */
export function parsePublication(text: string) {
  const label = '[a-z0-9](?:[-a-z0-9]*[a-z0-9])?';
  const format = new RegExp(`^(?:([\\d.]+):)?(\\d+):(${label})(?:\\.(${label}))?(?::(\\d+))?$`);
  const [, address = '127.0.0.1', port, name, namespace = 'default', servicePort = '80'] =
    format.exec(text) ?? [];
  const isPort = (number: string | undefined) => Number(number) <= 65_535;
  if (!isPort(port) || !isPort(servicePort))
    throw new flags.UsageError(
      `--publish must be [ADDRESS:]PORT:SERVICE[.NAMESPACE][:PORT], not ${text}`,
    );
  const service = `${name}.${namespace}`;
  return { address, port: Number(port), service, servicePort: Number(servicePort) };
}
