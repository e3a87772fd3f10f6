import { resolve } from 'node:path';
import { type Flag, formatFlags, parseFlags, UsageError } from '../base/flags.ts';
import { type LogLevel, logLevels } from '../base/log.ts';
import { type Publication, parsePublication } from './publication.ts';

export interface DevConfig {
  readonly nodes: number;
  readonly controllers: number;
  /** Members of etcd; 0: the embedded store. */
  readonly etcd: number;
  /** undefined: a fresh one, removed at the end. */
  readonly dataDir: string | undefined;
  /** On 127.0.0.1; 0: any free one. */
  readonly port: number;
  /** Ports of this machine that lead to Services. */
  readonly publish: readonly Publication[];
  readonly registry: boolean;
  /** Where Debian packages for the registry are kept. */
  readonly cacheDir: string;
  readonly readyFd: number | undefined;
  readonly logLevel: LogLevel;
  /** This process is in a systemd scope of its own already. */
  readonly scoped: boolean;
  /** Who called sudo: files that people read are theirs. */
  readonly owner: { readonly uid: number; readonly gid: number } | undefined;
}

export const devFlags: Readonly<Record<string, Flag>> = {
  nodes: { about: 'hosts with an agent each', value: 'N', fallback: '3' },
  controllers: {
    about: 'hosts with a controller each; several need --etcd',
    value: 'N',
    fallback: '1',
  },
  etcd: { about: 'the store is etcd with so many members', value: '1|3', fallback: '0' },
  'data-dir': {
    about: 'keep state and kubeconfig here (default: a fresh directory, removed at the end)',
    value: 'DIR',
  },
  port: { about: 'API on 127.0.0.1; 0 is any free port', value: 'PORT', fallback: '6443' },
  publish: {
    about: "a port of this machine (0 takes a free one) for a Service's (80), once there is one",
    value: '[IP:]PORT:SERVICE[.NAMESPACE][:PORT]',
    repeatable: true,
  },
  registry: { about: 'a registry for the hosts, as registry:5000' },
  'cache-dir': { about: 'Debian packages for the registry', value: 'DIR', fallback: '.cache' },
  'ready-fd': { about: 'write "ready" to this descriptor when all is up', value: 'FD' },
  'log-level': { about: 'of controller and agents', value: 'LEVEL', fallback: 'info' },
};

export const devHelp = `orc dev: a real cluster of several hosts on this machine, ended by Ctrl-C

  orc dev                         three hosts
  orc dev --nodes 5 --data-dir d  five, and their state is kept in d
  orc dev --controllers 3 --etcd 3

${formatFlags(devFlags)}`;

/** Throws UsageError. */
export function readDevConfig(argv: readonly string[]): DevConfig {
  const given = parseFlags(argv, devFlags);
  const dataDir = given.one('data-dir');
  const controllers = given.whole('controllers', 1, 5);
  const etcd = given.whole('etcd', 0, 5);
  if (controllers > 1 && etcd === 0)
    throw new UsageError('--controllers needs --etcd: the embedded store is for one controller');
  return {
    nodes: given.whole('nodes', 1, 50),
    controllers,
    etcd,
    dataDir: dataDir === undefined ? undefined : resolve(dataDir),
    port: given.whole('port', 0, 65_535),
    publish: given.all('publish').map(parsePublication),
    registry: given.has('registry'),
    cacheDir: resolve(given.must('cache-dir')),
    readyFd: given.has('ready-fd') ? given.whole('ready-fd', 3, 1023) : undefined,
    logLevel: given.oneOf('log-level', logLevels),
    scoped: process.env.ORC_DEV_SCOPED === '1',
    owner: sudoCaller(process.env),
  };
}

/** The environment for the copy of this process inside a scope of its own. */
export const scopedEnvironment = (): NodeJS.ProcessEnv => ({ ...process.env, ORC_DEV_SCOPED: '1' });

function sudoCaller(env: NodeJS.ProcessEnv): { uid: number; gid: number } | undefined {
  const { SUDO_UID, SUDO_GID } = env;
  return SUDO_UID && SUDO_GID ? { uid: Number(SUDO_UID), gid: Number(SUDO_GID) } : undefined;
}
