import { hostname } from 'node:os';
import { join } from 'node:path';
import { configFlag, readConfig } from '../base/config-file.ts';
import { formatFlags, list, text, UsageError, type ValuesOf } from '../base/flags.ts';
import { hostAddresses } from '../base/host-addresses.ts';
import * as ipv4 from '../base/ipv4.ts';
import { logLevelFlag } from '../base/log.ts';
import { readServiceConfig, type ServiceConfig } from '../base/service.ts';
import type { ClusterNetwork } from './dispatcher/control.ts';
import { type EtcdConfig, etcdFlags, readEtcdConfig, silenceMsOf } from './etcd-access.ts';

const nodePrefix = 22;
/** Room for the DNS server's address, the eleventh, and some others. */
const smallestServicePrefix = 28;

export const controllerFlags = {
  ...configFlag,
  'data-dir': text('DIR', 'store, keys', '/var/lib/orc/controller'),
  etcd: list('URL', 'a member of etcd, which then is the store instead of the embedded one'),
  ...etcdFlags,
  'api-address': text('HOST:PORT', 'HTTPS API', '0.0.0.0:6443').parsed(hostPort),
  'api-socket': text('PATH', 'HTTPS API on a unix socket as well'),
  'max-requests-inflight': text('COUNT', 'reading requests at once', '400').whole(1),
  'max-mutating-requests-inflight': text('COUNT', 'writing requests at once', '200').whole(1),
  'agent-address': text('HOST:PORT', 'gRPC for agents', '0.0.0.0:6444').parsed(hostPort),
  join: text('URL', "another controller's API, to join its cluster"),
  token: text('TOKEN', 'of `orc token create --controller`, for --join'),
  'server-name': list('NAME', 'further name or address in the server certificate'),
  'pod-cidr': text('CIDR', "pods' addresses; each node gets a /22", '10.244.0.0/14').parsed(
    cidrUpTo(nodePrefix),
  ),
  'service-cidr': text('CIDR', "Services' addresses", '10.96.0.0/16').parsed(
    cidrUpTo(smallestServicePrefix),
  ),
  'node-monitor-grace-period': text(
    'SECONDS',
    'a node that is silent for so long is given up (default: 4, or twice etcd-timeout)',
  ).whole(4, 3600),
  'cluster-domain': text('NAME', 'suffix of DNS names', 'cluster.local'),
  'log-level': logLevelFlag,
};

type Given = ValuesOf<typeof controllerFlags>;

type Taken = 'dataDir' | 'apiSocket' | 'logLevel';
type Limits = 'maxRequestsInflight' | 'maxMutatingRequestsInflight';

export interface ControllerConfig extends Pick<Given, Taken | Limits> {
  /** undefined: the embedded store. */
  readonly etcd: EtcdConfig | undefined;
  /** undefined: 4000. */
  readonly nodeGraceMs: number | undefined;
  readonly api: HostPort;
  readonly agents: HostPort;
  /** Where to join, if this is not yet a controller of the cluster. */
  readonly join: { readonly server: string; readonly token: string } | undefined;
  /** Names and addresses in the server certificate. */
  readonly serverNames: readonly string[];
  readonly network: ClusterNetwork;
  readonly service: ServiceConfig | undefined;
}

export const controllerHelp = `orc controller: keeps what should be, and makes it so

${formatFlags(controllerFlags)}`;

/** Throws UsageError. */
export const readControllerConfig = (argv: readonly string[]): ControllerConfig =>
  readConfig(argv, controllerFlags, configOf);

function configOf(given: Given): ControllerConfig {
  const { apiAddress: api, agentAddress: agents, podCidr: pods, serviceCidr: services } = given;
  if (ipv4.cidrContains(pods, services.first) || ipv4.cidrContains(services, pods.first))
    throw new UsageError('--pod-cidr and --service-cidr must not overlap');
  const etcd = readEtcdConfig(given, 'etcd', given.etcd);
  const { nodeMonitorGracePeriod: nodeGraceS } = given;
  return {
    ...{ ...given, api, agents, etcd },
    nodeGraceMs: nodeGraceS === undefined ? silenceMsOf(etcd) : nodeGraceS * 1000,
    join: joining(given),
    serverNames: serverNames([api.host, agents.host, ...given.serverName]),
    network: {
      clusterPodCidr: ipv4.formatIpv4Cidr(pods),
      nodePrefix,
      serviceCidr: ipv4.formatIpv4Cidr(services),
      // As in Kubernetes: the tenth address.
      dnsServiceIp: ipv4.formatIpv4(services.first + 10),
      clusterDomain: given.clusterDomain,
    },
    service: readServiceConfig(process.env),
  };
}

function joining({ join: server, token, etcd }: Given): ControllerConfig['join'] {
  if (server === undefined && token === undefined) return undefined;
  if (server === undefined || token === undefined)
    throw new UsageError('--join and --token go together');
  if (etcd.length === 0)
    throw new UsageError('--join needs --etcd: the embedded store is for one controller');
  return { server, token };
}

export const pathsOf = (dataDir: string) => ({
  store: join(dataDir, 'store.db'),
  pki: join(dataDir, 'pki'),
  storeKey: join(dataDir, 'store.key'),
  kubeconfig: join(dataDir, 'admin.kubeconfig'),
});

type HostPort = Readonly<{ host: string; port: number }>;

function hostPort(text: string, flag: string): HostPort {
  const match = /^(.+):(\d+)$/.exec(text);
  const port = Number(match?.[2]);
  if (!match?.[1] || port > 65_535)
    throw new UsageError(`--${flag} must be HOST:PORT, not ${text}`);
  return { host: match[1], port };
}

function cidrUpTo(longestPrefix: number) {
  return (text: string, flag: string): ipv4.Ipv4Cidr => {
    const parsed = ipv4.parseIpv4Cidr(text);
    if (parsed && parsed.prefix <= longestPrefix) return parsed;
    const wanted = `an IPv4 CIDR of /${longestPrefix} or more`;
    throw new UsageError(`--${flag} must be ${wanted}, not ${text}`);
  };
}

/** Who listens everywhere is called by each of the machine's addresses. */
function serverNames(names: readonly string[]): readonly string[] {
  const everywhere = new Set(['0.0.0.0', '::']);
  const called = names.flatMap((name) => (everywhere.has(name) ? hostAddresses() : [name]));
  return [...new Set(['localhost', '127.0.0.1', hostname(), ...called])];
}
