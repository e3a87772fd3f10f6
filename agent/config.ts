import { isIPv4 } from 'node:net';
import { hostname } from 'node:os';
import { type Flag, formatFlags, parseFlags, UsageError } from '../base/flags.ts';
import { type LogLevel, logLevels } from '../base/log.ts';

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
  readonly logLevel: LogLevel;
}

const flags: Readonly<Record<string, Flag>> = {
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
  label: { about: 'of the Node object', value: 'KEY=VALUE', repeatable: true },
  'log-level': { about: 'error, warn, info or debug', value: 'LEVEL', fallback: 'info' },
};

export const agentHelp = `orc agent: runs on each node what the controller assigns to it

${formatFlags(flags)}`;

/** Throws UsageError. */
export function readAgentConfig(argv: readonly string[]): AgentConfig {
  const given = parseFlags(argv, flags);
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
    logLevel: given.oneOf('log-level', logLevels),
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
