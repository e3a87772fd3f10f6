import { hostname } from 'node:os';
import { join } from 'node:path';
import { configFlag, readConfig } from '../base/config-file.ts';
import { type Flags, type FlagValues, formatFlags, UsageError } from '../base/flags.ts';
import { hostAddresses } from '../base/host-addresses.ts';
import {
  cidrContains,
  formatIpv4,
  formatIpv4Cidr,
  type Ipv4Cidr,
  parseIpv4Cidr,
} from '../base/ipv4.ts';
import { type LogLevel, logLevels } from '../base/log.ts';
import { readServiceConfig, type ServiceConfig } from '../base/service.ts';
import { type EtcdConfig, etcdFlags, readEtcdConfig } from './etcd-access.ts';

export interface ControllerConfig {
  readonly dataDir: string;
  /** undefined: the embedded store. */
  readonly etcd: EtcdConfig | undefined;
  readonly api: { readonly host: string; readonly port: number };
  /** A unix socket that serves the API too. */
  readonly apiSocket: string | undefined;
  readonly agents: { readonly host: string; readonly port: number };
  /** Where to join, if this is not yet a controller of the cluster. */
  readonly join: { readonly server: string; readonly token: string } | undefined;
  /** Names and addresses in the server certificate. */
  readonly serverNames: readonly string[];
  readonly network: {
    readonly clusterPodCidr: string;
    readonly nodePrefix: number;
    readonly serviceCidr: string;
    readonly dnsServiceIp: string;
    readonly clusterDomain: string;
  };
  readonly logLevel: LogLevel;
  readonly service: ServiceConfig | undefined;
}

export const controllerFlags: Flags = {
  ...configFlag,
  'data-dir': { about: 'store, keys', value: 'DIR', fallback: '/var/lib/orc/controller' },
  etcd: {
    about: 'a member of etcd, which then is the store instead of the embedded one',
    value: 'URL',
    repeatable: true,
  },
  ...etcdFlags,
  'api-address': { about: 'HTTPS API', value: 'HOST:PORT', fallback: '0.0.0.0:6443' },
  'api-socket': { about: 'HTTPS API on a unix socket as well', value: 'PATH' },
  'agent-address': { about: 'gRPC for agents', value: 'HOST:PORT', fallback: '0.0.0.0:6444' },
  join: { about: "another controller's API, to join its cluster", value: 'URL' },
  token: { about: 'of `orc token create --controller`, for --join', value: 'TOKEN' },
  'server-name': {
    about: 'further name or address in the server certificate',
    value: 'NAME',
    repeatable: true,
  },
  'pod-cidr': {
    about: "pods' addresses; each node gets a /22",
    value: 'CIDR',
    fallback: '10.244.0.0/14',
  },
  'service-cidr': { about: "Services' addresses", value: 'CIDR', fallback: '10.96.0.0/16' },
  'cluster-domain': { about: 'suffix of DNS names', value: 'NAME', fallback: 'cluster.local' },
  'log-level': { about: 'error, warn, info or debug', value: 'LEVEL', fallback: 'info' },
};

export const controllerHelp = `orc controller: keeps what should be, and makes it so

${formatFlags(controllerFlags)}`;

/** Throws UsageError. */
export const readControllerConfig = (argv: readonly string[]): ControllerConfig =>
  readConfig(argv, controllerFlags, configOf);

function configOf(given: FlagValues): ControllerConfig {
  const api = hostPort('api-address', given.must('api-address'));
  const agents = hostPort('agent-address', given.must('agent-address'));
  const pods = cidr('pod-cidr', given.must('pod-cidr'), nodePrefix);
  const services = cidr('service-cidr', given.must('service-cidr'), smallestServicePrefix);
  if (cidrContains(pods, services.first) || cidrContains(services, pods.first))
    throw new UsageError('--pod-cidr and --service-cidr must not overlap');
  return {
    dataDir: given.must('data-dir'),
    etcd: readEtcdConfig(given, 'etcd', given.all('etcd')),
    api,
    apiSocket: given.one('api-socket'),
    agents,
    join: joining(given),
    serverNames: serverNames([api.host, agents.host, ...given.all('server-name')]),
    network: {
      clusterPodCidr: formatIpv4Cidr(pods),
      nodePrefix,
      serviceCidr: formatIpv4Cidr(services),
      // As in Kubernetes: the tenth address.
      dnsServiceIp: formatIpv4(services.first + 10),
      clusterDomain: given.must('cluster-domain'),
    },
    logLevel: given.oneOf('log-level', logLevels),
    service: readServiceConfig(process.env),
  };
}

function joining(given: FlagValues): ControllerConfig['join'] {
  const [server, token] = [given.one('join'), given.one('token')];
  if (server === undefined && token === undefined) return undefined;
  if (server === undefined || token === undefined)
    throw new UsageError('--join and --token go together');
  if (given.all('etcd').length === 0)
    throw new UsageError('--join needs --etcd: the embedded store is for one controller');
  return { server, token };
}

const nodePrefix = 22;
/** Room for the DNS server's address, the eleventh, and some others. */
const smallestServicePrefix = 28;

export const pathsOf = (dataDir: string) => ({
  store: join(dataDir, 'store.db'),
  pki: join(dataDir, 'pki'),
  storeKey: join(dataDir, 'store.key'),
  kubeconfig: join(dataDir, 'admin.kubeconfig'),
});

function hostPort(flag: string, text: string): { host: string; port: number } {
  const match = /^(.+):(\d+)$/.exec(text);
  const port = Number(match?.[2]);
  if (!match?.[1] || port > 65_535)
    throw new UsageError(`--${flag} must be HOST:PORT, not ${text}`);
  return { host: match[1], port };
}

function cidr(flag: string, text: string, longestPrefix: number): Ipv4Cidr {
  const parsed = parseIpv4Cidr(text);
  if (!parsed || parsed.prefix > longestPrefix)
    throw new UsageError(
      `--${flag} must be an IPv4 CIDR of /${longestPrefix} or more, not ${text}`,
    );
  return parsed;
}

/** Who listens everywhere is called by each of the machine's addresses. */
function serverNames(names: readonly string[]): readonly string[] {
  const everywhere = new Set(['0.0.0.0', '::']);
  const called = names.flatMap((name) => (everywhere.has(name) ? hostAddresses() : [name]));
  return [...new Set(['localhost', '127.0.0.1', hostname(), ...called])];
}
