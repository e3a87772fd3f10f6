import { cidrContains, parseIpv4, parseIpv4Cidr } from '../../base/ipv4.ts';
import type { DnsData, DnsZone } from './dns-zone.ts';

export interface DnsQuestion {
  /** As it was asked, in any case. */
  readonly name: string;
  /** "A", "SRV" …; types that we have no name for are "UNKNOWN_65". */
  readonly type: string;
}

export type DnsRecord = DnsData & { readonly name: string };

export type DnsAnswer =
  /** Without answers: the name exists, but not with this type (NODATA). */
  | {
      readonly rcode: 'NOERROR';
      readonly answers: readonly DnsRecord[];
      readonly additionals: readonly DnsRecord[];
    }
  | { readonly rcode: 'NXDOMAIN' }
  /**
   * Not a name of the cluster's: the node's own servers know more. If it has none, REFUSED rather than SERVFAIL: either
   * makes glibc and c-ares turn to the next server, but musl asks the same one again after a SERVFAIL.
   */
  | { readonly rcode: 'REFUSED' };

/** Answers from the cluster's names alone. Records come in the zone's order: shuffling is the server's. */
export function answerDns(question: DnsQuestion, zone: DnsZone): DnsAnswer {
  const name = question.name.toLowerCase().replace(/\.$/, '');
  const records = zone.names.get(name) ?? podRecords(name, zone);
  if (!records) return { rcode: isOurs(name, zone) ? 'NXDOMAIN' : 'REFUSED' };
  const answers = recordsOf(question, records, zone);
  return { rcode: 'NOERROR', answers, additionals: targetsOf(answers, zone) };
}

/**
 * "10-244-1-5.default.pod.cluster.local" is 10.244.1.5, whether or not a pod has that address. "default.pod.cluster.local"
 * exists as far as anyone can tell: names end in it.
 */
function podRecords(name: string, zone: DnsZone): readonly DnsData[] | undefined {
  const end = `.pod.${zone.domain}`;
  if (!name.endsWith(end)) return undefined;
  const [first = '', namespace, ...more] = name.slice(0, -end.length).split('.');
  if (namespace === undefined) return [];
  const data = first.replaceAll('-', '.');
  return more.length === 0 && isWithin(zone.podCidr, data) ? [{ type: 'A', data }] : undefined;
}

function isOurs(name: string, { domain, podCidr, serviceCidr }: DnsZone): boolean {
  const [, reversed] = /^([\d.]+)\.in-addr\.arpa$/.exec(name) ?? [];
  const ip = reversed?.split('.').reverse().join('.') ?? '';
  return name.endsWith(`.${domain}`) || [podCidr, serviceCidr].some((cidr) => isWithin(cidr, ip));
}

/** A chain of ExternalNames of the cluster's own is followed so far. */
const maxAliases = 8;

function recordsOf({ name, type }: DnsQuestion, records: readonly DnsData[], zone: DnsZone) {
  const chain: DnsRecord[] = [];
  let at = name;
  for (let found: typeof records | undefined = records; found; found = zone.names.get(at)) {
    const [alias] = found;
    if (alias?.type !== 'CNAME') {
      const wanted = found.filter((record) => record.type === type || type === 'ANY');
      return [...chain, ...wanted.map((record) => ({ ...record, name: at }))];
    }
    chain.push({ ...alias, name: at });
    at = alias.data;
    if (type === 'CNAME' || chain.length > maxAliases) break;
  }
  return chain;
}

/** Addresses of the hosts that SRV records name, so that nobody has to ask a second time. */
function targetsOf(answers: readonly DnsRecord[], { names }: DnsZone): readonly DnsRecord[] {
  const targets = new Set(answers.flatMap((a) => (a.type === 'SRV' ? [a.data.target] : [])));
  return [...targets].flatMap((name) =>
    (names.get(name) ?? []).flatMap((one) => (one.type === 'A' ? [{ ...one, name }] : [])),
  );
}

function isWithin(cidr: string, ip: string): boolean {
  const [range, address] = [parseIpv4Cidr(cidr), parseIpv4(ip)];
  return range !== undefined && address !== undefined && cidrContains(range, address);
}
