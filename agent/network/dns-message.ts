import * as dns from 'dns-packet';
import type { Rng } from '../../base/rng.ts';
import { answerDns, type DnsAnswer, type DnsRecord } from './dns-answer.ts';
import type { DnsZone } from './dns-zone.ts';

export interface DnsReplyOptions {
  readonly zone: DnsZone;
  readonly rng: Rng;
  /** Over UDP a reply that doesn't fit is sent empty and marked as cut, whereupon clients come again over TCP. */
  readonly transport: 'udp' | 'tcp';
  /** Asks the node's own servers; gives undefined if none answers. undefined: it has none. */
  readonly forward: ((message: Buffer) => Promise<Buffer | undefined>) | undefined;
}

/** The reply to a message, or undefined if it deserves none: no header, or itself a reply. */
export async function replyToDns(message: Buffer, options: DnsReplyOptions) {
  if (message.length < headerBytes || (message.readUInt16BE(2) & QR) !== 0) return undefined;
  const query = decoded(message);
  if (!query) return bareReply(message, rcodes.FORMERR);
  const question = query.questions?.[0];
  if (!question || query.questions?.length !== 1) return bareReply(message, rcodes.FORMERR);
  if ((message.readUInt16BE(2) & OPCODE) !== 0) return bareReply(message, rcodes.NOTIMP);
  const edns = query.additionals?.find((record) => record.type === 'OPT');
  if (edns && edns.ednsVersion > 0) return dns.encode(withEdns(emptyReply(query), true, BADVERS));
  const isInternet = question.class === 'IN';
  const answer: DnsAnswer = isInternet ? answerDns(question, options.zone) : { rcode: 'REFUSED' };
  if (isInternet && answer.rcode === 'REFUSED' && options.forward)
    return (
      (await options.forward(message)) ?? dns.encode(withEdns(failed(query), edns !== undefined))
    );
  const own = replyPacket(query, answer, options);
  const packet = (await followedOutside(own, question, options)) ?? failed(query);
  const bytes = dns.encode(withEdns(packet, edns !== undefined));
  if (options.transport === 'tcp' || bytes.length <= udpLimit(edns)) return bytes;
  return dns.encode(withEdns(emptyReply(query, TC), edns !== undefined));
}

const headerBytes = 12;
const QR = 0x8000;
const OPCODE = 0x7800;
const AA = 0x0400;
const TC = 0x0200;
const RD = 0x0100;
const RCODE = 0x000f;
/** The upper bits of extended rcode 16. */
const BADVERS = 1;
const rcodes = { NOERROR: 0, FORMERR: 1, SERVFAIL: 2, NXDOMAIN: 3, NOTIMP: 4, REFUSED: 5 } as const;
const classicUdpBytes = 512;
/** What passes every network unfragmented: DNS flag day 2020. */
const maxUdpBytes = 1232;
/** As short as CoreDNS': endpoints come and go. */
const ttlSeconds = 5;

function decoded(message: Buffer): dns.DecodedPacket | undefined {
  try {
    return dns.decode(message);
  } catch {
    return undefined;
  }
}

function replyPacket(query: dns.DecodedPacket, answer: DnsAnswer, options: DnsReplyOptions) {
  const ours = answer.rcode !== 'REFUSED';
  const found = answer.rcode === 'NOERROR' ? answer : { answers: [], additionals: [] };
  return {
    ...emptyReply(query, (ours ? AA : 0) | rcodes[answer.rcode]),
    answers: shuffled(found.answers, options.rng).map(wireRecord),
    authorities: ours && found.answers.length === 0 ? [startOfAuthority(options.zone)] : [],
    additionals: found.additionals.map(wireRecord),
  };
}

const failed = (query: dns.DecodedPacket) => emptyReply(query, rcodes.SERVFAIL);

/**
 * An ExternalName may lead out of the cluster, and clients don't ask again for what an alias stands for: so this does.
 * undefined: nobody knows.
 */
async function followedOutside(
  reply: dns.Packet,
  { type }: dns.Question,
  { zone, rng, forward }: DnsReplyOptions,
): Promise<dns.Packet | undefined> {
  const last = reply.answers?.at(-1);
  if (last?.type !== 'CNAME' || type === 'CNAME' || !forward) return reply;
  if (answerDns({ name: last.data, type }, zone).rcode !== 'REFUSED') return reply;
  const id = rng.bytes(2).readUInt16BE();
  const questions = [{ name: last.data, type }];
  const bytes = await forward(dns.encode({ type: 'query', id, flags: RD, questions }));
  const found = bytes && decoded(bytes);
  if (!found) return undefined;
  const flags = (reply.flags ?? 0) | ((found.flags ?? 0) & (TC | RCODE));
  return { ...reply, flags, answers: [...(reply.answers ?? []), ...(found.answers ?? [])] };
}

function withEdns(packet: dns.Packet, edns: boolean, extendedRcode = 0): dns.Packet {
  if (!edns) return packet;
  const opt: dns.Answer = {
    type: 'OPT',
    name: '.',
    udpPayloadSize: maxUdpBytes,
    extendedRcode,
    ednsVersion: 0,
    flags: 0,
    flag_do: false,
    options: [],
  };
  return { ...packet, additionals: [...(packet.additionals ?? []), opt] };
}

function emptyReply(query: dns.DecodedPacket, flag = 0): dns.Packet {
  const flags = (query.flag_rd ? RD : 0) | flag;
  return { type: 'response', id: query.id ?? 0, flags, questions: query.questions ?? [] };
}

const udpLimit = (edns: dns.OptAnswer | undefined): number =>
  Math.min(Math.max(edns?.udpPayloadSize ?? 0, classicUdpBytes), maxUdpBytes);

/** Just the header, for what could not be read further. */
function bareReply(message: Buffer, rcode: number): Buffer {
  const reply = Buffer.alloc(headerBytes);
  message.copy(reply, 0, 0, 2);
  reply.writeUInt16BE(QR | (message.readUInt16BE(2) & (OPCODE | RD)) | rcode, 2);
  return reply;
}

function wireRecord(record: DnsRecord): dns.Answer {
  const common = { ttl: ttlSeconds, class: 'IN' } as const;
  if (record.type !== 'SRV') return { ...common, ...record };
  return { ...common, ...record, data: { priority: 0, weight: 100, ...record.data } };
}

/** Negative answers are kept by resolvers for its `minimum`. */
function startOfAuthority(zone: DnsZone): dns.Answer {
  const data = {
    mname: `ns.dns.${zone.domain}`,
    rname: `hostmaster.${zone.domain}`,
    serial: 1,
    refresh: 7200,
    retry: 1800,
    expire: 86_400,
    minimum: ttlSeconds,
  };
  return { type: 'SOA', name: zone.domain, ttl: ttlSeconds, class: 'IN', data };
}

/** Aliases stay in front, in their order; the records that they lead to are mixed (Fisher and Yates). */
function shuffled(records: readonly DnsRecord[], rng: Rng): readonly DnsRecord[] {
  const aliases = records.filter((record) => record.type === 'CNAME');
  const rest = records.filter((record) => record.type !== 'CNAME');
  for (let i = rest.length - 1; i > 0; i--) {
    const j = Math.floor(rng.fraction() * (i + 1));
    [rest[i], rest[j]] = [rest[j]!, rest[i]!];
  }
  return [...aliases, ...rest];
}
