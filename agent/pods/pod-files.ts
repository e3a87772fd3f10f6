import { join } from 'node:path';
import type { Pod } from '../../api/pod.ts';
import { parseResolvConf } from '../../base/resolv-conf.ts';
import type { NetworkTable } from '../ports.ts';

/** The hostname inside: spec.hostname, or the pod's name as far as a hostname may be long. */
export const hostnameOf = (pod: Pod): string =>
  pod.spec.hostname ?? pod.metadata.name.slice(0, 63).replace(/[-.]+$/, '');

/** /etc/hosts of the pod. The pod's own address is known only once its network is; so it is written then. */
export function hostsFile(pod: Pod, podIp: string | undefined, domain: string): string {
  const hostname = hostnameOf(pod);
  const { subdomain } = pod.spec;
  const full = subdomain
    ? `${hostname}.${subdomain}.${pod.metadata.namespace}.svc.${domain}\t`
    : '';
  const lines = [
    '# Kubernetes-managed hosts file (orc).',
    '127.0.0.1\tlocalhost',
    '::1\tlocalhost ip6-localhost ip6-loopback',
    ...(podIp === undefined ? [] : [`${podIp}\t${full}${hostname}`]),
  ];
  return `${lines.join('\n')}\n`;
}

/** /etc/resolv.conf of the pod: the node's DNS, which knows the cluster's names too, or the node's own file. */
export function resolvConf(pod: Pod, network: NetworkTable | undefined, nodeResolvConf: string) {
  if (pod.spec.dnsPolicy === 'Default' || pod.spec.hostNetwork || !network) return nodeResolvConf;
  const { clusterDomain, dnsServiceIp } = network;
  const own = [`${pod.metadata.namespace}.svc`, 'svc'].map((s) => `${s}.${clusterDomain}`);
  const search = [...own, clusterDomain, ...parseResolvConf(nodeResolvConf).search];
  return `search ${search.join(' ')}\nnameserver ${dnsServiceIp}\noptions ndots:5\n`;
}

/** LOG_DIR/NAMESPACE_POD_UID/CONTAINER/ATTEMPT.log, as the kubelet lays logs out. */
export const containerLogPath = (
  logDir: string,
  { namespace = '', name, uid }: Pod['metadata'],
  container: { readonly name: string; readonly attempt: number },
): string =>
  join(logDir, `${namespace}_${name}_${uid}`, container.name, `${container.attempt}.log`);
