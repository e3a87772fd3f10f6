import { cidrContains, parseIpv4, parseIpv4Cidr } from '../../base/ipv4.ts';
import type { DnsRecords, DnsZone } from './dns-zone.ts';

export interface DnsQuestion {
  /** As it was asked, in any case. */
  readonly name: string;
  /** "A", "SRV" …; types that we have no name for are "UNKNOWN_65". */
  readonly type: string;
}

export type DnsRecord =
  | { readonly type: 'A' | 'CNAME' | 'PTR' | 'TXT'; readonly name: string; readonly data: string }
  | {
      readonly type: 'SRV';
      readonly name: string;
      readonly data: { readonly target: string; readonly port: number };
    };

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
  const reversed = reverseAddress(name);
  if (reversed !== undefined) return answerReverse(question, reversed, zone);
  if (name !== zone.domain && !name.endsWith(`.${zone.domain}`)) return { rcode: 'REFUSED' };
  const records = zone.names.get(name) ?? podRecords(name, zone);
  if (!records) return nonexistent(name, zone);
  const answers = recordsOf({ name: question.name, type: question.type }, records, zone);
  return { rcode: 'NOERROR', answers, additionals: targetsOf(answers, zone) };
}

const noData: DnsAnswer = { rcode: 'NOERROR', answers: [], additionals: [] };
/** A chain of ExternalNames of the cluster's own is followed so far. */
const maxAliases = 8;

function recordsOf(
  { name, type }: DnsQuestion,
  records: DnsRecords,
  zone: DnsZone,
): readonly DnsRecord[] {
  if (records.alias !== undefined) return followAlias({ name, type }, records.alias, zone);
  const wants = (kind: string) => type === kind || type === 'ANY';
  return [
    ...(wants('A') ? records.addresses : []).map((data) => ({ type: 'A' as const, name, data })),
    ...(wants('SRV') ? records.servers : []).map((data) => ({ type: 'SRV' as const, name, data })),
    ...(wants('TXT') ? records.texts : []).map((data) => ({ type: 'TXT' as const, name, data })),
  ];
}

function followAlias(question: DnsQuestion, alias: string, zone: DnsZone): readonly DnsRecord[] {
  const { type } = question;
  const chain: DnsRecord[] = [{ type: 'CNAME', name: question.name, data: alias }];
  for (let at = alias; type !== 'CNAME' && chain.length <= maxAliases; ) {
    const records = zone.names.get(at);
    if (!records) break;
    if (records.alias === undefined)
      return [...chain, ...recordsOf({ name: at, type }, records, zone)];
    chain.push({ type: 'CNAME', name: at, data: records.alias });
    at = records.alias;
  }
  return chain;
}

/** Addresses of the hosts that SRV records name, so that nobody has to ask a second time. */
function targetsOf(answers: readonly DnsRecord[], zone: DnsZone): readonly DnsRecord[] {
  const targets = new Set(answers.flatMap((a) => (a.type === 'SRV' ? [a.data.target] : [])));
  return [...targets].flatMap((name) =>
    (zone.names.get(name)?.addresses ?? []).map((data) => ({ type: 'A' as const, name, data })),
  );
}

/** "10-244-1-5.default.pod.cluster.local" is 10.244.1.5, whether or not a pod has that address. */
function podRecords(name: string, zone: DnsZone): DnsRecords | undefined {
  const labels = name.slice(0, -zone.domain.length - 1).split('.');
  const ip = labels[0]?.replaceAll('-', '.') ?? '';
  if (labels.length !== 3 || labels[2] !== 'pod' || !isWithin(zone.podCidr, ip)) return undefined;
  return { addresses: [ip], servers: [], alias: undefined, texts: [] };
}

/** "default.pod.cluster.local" exists as far as anyone can tell: names end in it. */
function nonexistent(name: string, zone: DnsZone): DnsAnswer {
  const [, kind, ...rest] = name.split('.');
  return kind === 'pod' && rest.join('.') === zone.domain ? noData : { rcode: 'NXDOMAIN' };
}

function answerReverse(question: DnsQuestion, ip: string, zone: DnsZone): DnsAnswer {
  const names = zone.pointers.get(ip);
  const isOurs = [zone.podCidr, zone.serviceCidr].some((cidr) => isWithin(cidr, ip));
  if (!names) return { rcode: isOurs ? 'NXDOMAIN' : 'REFUSED' };
  if (question.type !== 'PTR' && question.type !== 'ANY') return noData;
  const answers = names.map((data) => ({ type: 'PTR' as const, name: question.name, data }));
  return { rcode: 'NOERROR', answers, additionals: [] };
}

function reverseAddress(name: string): string | undefined {
  const match = /^(\d+)\.(\d+)\.(\d+)\.(\d+)\.in-addr\.arpa$/.exec(name);
  return match ? [match[4], match[3], match[2], match[1]].join('.') : undefined;
}

function isWithin(cidr: string, ip: string): boolean {
  const [range, address] = [parseIpv4Cidr(cidr), parseIpv4(ip)];
  return range !== undefined && address !== undefined && cidrContains(range, address);
}
