import { isIPv4 } from 'node:net';
import { hostname } from 'node:os';
import { configFlag, readConfig } from '../base/config-file.ts';
import { type Flags, type FlagValues, formatFlags, UsageError } from '../base/flags.ts';
import { type LogLevel, logLevels } from '../base/log.ts';
import { readServiceConfig, type ServiceConfig } from '../base/service.ts';
import type { HousekeepingLimits } from './housekeeping/housekeeping.ts';
import type { LogLimits } from './runtime/containers.ts';

export interface AgentConfig {
  readonly nodeName: string;
  /** This node's address for the other nodes. */
  readonly address: string;
  readonly dataDir: string;
  readonly runDir: string;
  /** "host:6444", at least one. */
  readonly controllers: readonly string[];
  /** Where to join, if this machine has no identity yet. */
  readonly join: { readonly server: string; readonly token: string } | undefined;
  /** See openCgroups. */
  readonly cgroupParent: string;
  readonly insecureRegistries: readonly string[];
  /** A CONNECT proxy on a unix socket; undefined: registries are reached directly. */
  readonly registryProxy: string | undefined;
  readonly labels: Readonly<Record<string, string>>;
  readonly limits: HousekeepingLimits;
  readonly logLimits: LogLimits;
  readonly logLevel: LogLevel;
  readonly service: ServiceConfig | undefined;
}

export const agentFlags: Flags = {
  ...configFlag,
  'node-name': { about: 'name of this node', value: 'NAME', fallback: hostname() },
  address: { about: "this node's IPv4 address for the other nodes", value: 'IP' },
  controller: { about: 'where a controller serves agents', value: 'HOST:PORT', repeatable: true },
  join: { about: 'the API to join at, when this machine has not joined yet', value: 'URL' },
  token: { about: 'of `orc token create`, for --join', value: 'TOKEN' },
  'data-dir': {
    about: 'images, volumes, logs, ledger, keys',
    value: 'DIR',
    fallback: '/var/lib/orc/agent',
  },
  'run-dir': { about: 'sockets and run-time state', value: 'DIR', fallback: '/run/orc' },
  'cgroup-parent': {
    about: 'group that the pods are put into',
    value: 'PATH',
    fallback: '/orc-pods',
  },
  'insecure-registry': {
    about: 'registry that is spoken to without TLS',
    value: 'HOST[:PORT]',
    repeatable: true,
  },
  'registry-proxy': { about: 'unix socket of a CONNECT proxy for registries', value: 'PATH' },
  'image-gc-high-threshold': {
    about: 'percent of the disk in use from which on unused images go',
    value: 'PERCENT',
    fallback: '85',
  },
  'image-gc-low-threshold': {
    about: '… until no more than this is in use',
    value: 'PERCENT',
    fallback: '80',
  },
  'image-max-age': { about: 'unused images go after so long in any case', value: 'HOURS' },
  'min-free-disk': {
    about: 'with less the node has DiskPressure and gets no new pods',
    value: 'PERCENT',
    fallback: '10',
  },
  'container-log-max-size': {
    about: "of a container's log file, in MiB; then it is rotated",
    value: 'MIB',
    fallback: '10',
  },
  'container-log-max-files': {
    about: "of a container's log, for each of its last two attempts",
    value: 'N',
    fallback: '5',
  },
  label: { about: 'of the Node object', value: 'KEY=VALUE', repeatable: true },
  'log-level': { about: 'error, warn, info or debug', value: 'LEVEL', fallback: 'info' },
};

export const agentHelp = `orc agent: runs on each node what the controller assigns to it

${formatFlags(agentFlags)}`;

/** Throws UsageError. */
export const readAgentConfig = (argv: readonly string[]): AgentConfig =>
  readConfig(argv, agentFlags, configOf);

function configOf(given: FlagValues): AgentConfig {
  const controllers = given.all('controller');
  if (controllers.length === 0)
    throw new UsageError('--controller is required: where a controller serves agents');
  const server = given.one('join');
  return {
    nodeName: given.must('node-name'),
    address: ipv4Address(given.must('address')),
    dataDir: given.must('data-dir'),
    runDir: given.must('run-dir'),
    controllers,
    join: server === undefined ? undefined : { server, token: given.must('token') },
    cgroupParent: given.must('cgroup-parent'),
    insecureRegistries: given.all('insecure-registry'),
    registryProxy: given.one('registry-proxy'),
    labels: Object.fromEntries(given.all('label').map(keyValue)),
    limits: readLimits(given),
    logLimits: {
      maxBytes: given.whole('container-log-max-size', 1, 1_000_000) * 2 ** 20,
      maxFiles: given.whole('container-log-max-files', 1, 1000),
    },
    logLevel: given.oneOf('log-level', logLevels),
    service: readServiceConfig(process.env),
  };
}

function readLimits(given: FlagValues): HousekeepingLimits {
  const highPercent = given.whole('image-gc-high-threshold', 1, 100);
  return {
    highPercent,
    lowPercent: given.whole('image-gc-low-threshold', 0, highPercent),
    maxAgeMs: given.has('image-max-age')
      ? given.whole('image-max-age', 1, 100_000) * 3_600_000
      : undefined,
    minFreeDiskPercent: given.whole('min-free-disk', 1, 99),
  };
}

function keyValue(text: string): readonly [string, string] {
  const [key = '', ...value] = text.split('=');
  if (key === '' || value.length === 0)
    throw new UsageError(`--label must be KEY=VALUE, not ${text}`);
  return [key, value.join('=')];
}

/** Every other node refuses a table in which an address makes no sense. */
function ipv4Address(text: string): string {
  if (!isIPv4(text)) throw new UsageError(`--address must be an IPv4 address, not ${text}`);
  return text;
}
