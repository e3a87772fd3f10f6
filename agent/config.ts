import { isIPv4 } from 'node:net';
import { hostname } from 'node:os';
import { configFlag, readConfig } from '../base/config-file.ts';
import {
  type Flag,
  formatFlags,
  list,
  listOf,
  text,
  UsageError,
  type ValuesOf,
} from '../base/flags.ts';
import { logLevelFlag } from '../base/log.ts';
import { readServiceConfig, type ServiceConfig } from '../base/service.ts';
import type { HousekeepingLimits } from './housekeeping/housekeeping.ts';
import { readRegistries, usualRegistries } from './images/read-registries.ts';
import type { Proxies } from './images/registry-transport.ts';
import type { LogLimits } from './runtime/container-place.ts';

export const agentFlags = {
  ...configFlag,
  'node-name': text('NAME', 'name of this node', hostname()),
  address: text('IP', "this node's IPv4 address for the other nodes").parsed(ipv4).required(),
  controller: list('HOST:PORT', 'where a controller serves agents').required(),
  join: text('URL', 'the API to join at, when this machine has not joined yet'),
  token: text('TOKEN', 'of `orc token create`, for --join'),
  'data-dir': text('DIR', 'images, volumes, logs, ledger, keys', '/var/lib/orc/agent'),
  'run-dir': text('DIR', 'sockets and run-time state', '/run/orc'),
  'cgroup-parent': text('PATH', 'group that the pods are put into', '/orc-pods'),
  'insecure-registry': list('HOST[:PORT]', 'registry that is spoken to without TLS'),
  'peer-port': text('PORT', 'of every node, where it hands image layers to others', '6445').whole(
    1,
    65_535,
  ),
  registries: text('FILE', 'mirrors, TLS, logins and trust of registries', usualRegistries).parsed(
    readRegistries,
  ),
  'docker-config': text('FILE', "docker's config.json, for logins at registries"),
  'registry-proxy': text('PATH', 'unix socket of a CONNECT proxy for registries'),
  'image-gc-high-threshold': percent('of the disk in use from which on unused images go', '85', 1),
  'image-gc-low-threshold': percent('… until no more than this is in use', '80'),
  'image-max-age': text('HOURS', 'unused images go after so long in any case').whole(1, 100_000),
  'min-free-disk': text('PERCENT', 'with less: DiskPressure, and no new pods', '10').whole(1, 99),
  'container-log-max-size': text(
    'MIB',
    "of a container's log file, in MiB; then it is rotated",
    '10',
  ).whole(1, 1_000_000),
  'container-log-max-files': text(
    'N',
    "of a container's log, for each of its last two attempts",
    '5',
  ).whole(1, 1000),
  label: listOf('KEY=VALUE', 'of the Node object', keyValue),
  'runtime-handler': listOf('NAME=PATH', 'an OCI runtime that RuntimeClasses may name', program),
  'log-level': logLevelFlag,
};

type Given = ValuesOf<typeof agentFlags>;

export interface AgentConfig extends Omit<Given, 'join'> {
  /** Where to join, if this machine has no identity yet. */
  readonly join: { readonly server: string; readonly token: string } | undefined;
  readonly labels: Readonly<Record<string, string>>;
  /** Programs by handler. */
  readonly runtimes: Readonly<Record<string, string>>;
  readonly limits: HousekeepingLimits;
  readonly logLimits: LogLimits;
  readonly proxies: Proxies;
  readonly service: ServiceConfig | undefined;
}

export const agentHelp = `orc agent: runs on each node what the controller assigns to it

${formatFlags(agentFlags)}`;

/** Throws UsageError. */
export const readAgentConfig = (argv: readonly string[]) => readConfig(argv, agentFlags, configOf);

function configOf(given: Given): AgentConfig {
  const { join: server, token } = given;
  if (server !== undefined && token === undefined) throw new UsageError('--join needs --token');
  return {
    ...given,
    join: server === undefined || token === undefined ? undefined : { server, token },
    labels: Object.fromEntries(given.label),
    runtimes: Object.fromEntries(given.runtimeHandler),
    limits: readLimits(given),
    logLimits: {
      maxBytes: given.containerLogMaxSize * 2 ** 20,
      maxFiles: given.containerLogMaxFiles,
    },
    proxies: readProxies(process.env),
    service: readServiceConfig(process.env),
  };
}

/** As curl reads them, small letters first; a proxy without a scheme speaks HTTP. */
function readProxies(env: NodeJS.ProcessEnv): Proxies {
  const of = (name: string) => env[name] ?? env[name.toUpperCase()] ?? '';
  const url = (name: string) => of(name).replace(/^(?=[^:]+(:\d+)?$)/, 'http://');
  return { http: url('http_proxy'), https: url('https_proxy'), not: of('no_proxy') };
}

function readLimits(given: Given): HousekeepingLimits {
  const { imageGcHighThreshold: highPercent, imageGcLowThreshold: lowPercent } = given;
  if (lowPercent > highPercent)
    throw new UsageError('--image-gc-low-threshold must not be above --image-gc-high-threshold');
  return {
    ...{ highPercent, lowPercent, minFreeDiskPercent: given.minFreeDisk },
    maxAgeMs: given.imageMaxAge === undefined ? undefined : given.imageMaxAge * 3_600_000,
  };
}

function percent(about: string, fallback: string, least = 0): Flag<number> {
  return text('PERCENT', about, fallback).whole(least, 100);
}

function keyValue(text: string, name: string): readonly [string, string] {
  const [key = '', ...value] = text.split('=');
  if (key === '' || value.length === 0)
    throw new UsageError(`--${name} must be KEY=VALUE, not ${text}`);
  return [key, value.join('=')];
}

function program(text: string, name: string): readonly [string, string] {
  const [handler, path] = keyValue(text, name);
  if (!path.startsWith('/'))
    throw new UsageError(`--${name} ${handler}: must be an absolute path, not ${path}`);
  return [handler, path];
}

/** Every other node refuses a table in which an address makes no sense. */
function ipv4(text: string, name: string): string {
  if (!isIPv4(text)) throw new UsageError(`--${name} must be an IPv4 address, not ${text}`);
  return text;
}
