import { type Answer, decode, encode, type Packet } from 'dns-packet';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { replyToDns } from '../../../../agent/network/dns-message.ts';
import { dnsZone } from '../../../../agent/network/dns-zone.ts';
import { seededRng } from '../../../../base/rng.ts';
import { smallTable } from '../../../contract/network-port.contract.ts';

const addresses = Array.from({ length: 60 }, (_, i) => ({
  ip: `10.244.4.${i + 2}`,
  hostname: undefined,
}));
const web = smallTable.services[0]!;
const many = { ...web, name: 'many', clusterIp: undefined, addresses, ports: [] };
const zone = dnsZone({ ...smallTable, services: [web, many] });
const svc = 'default.svc.cluster.local';
const RD = 0x100;
const rcodeOf = (reply: Buffer | undefined) => (reply ? reply.readUInt16BE(2) & 0xf : undefined);

function reply(message: Buffer, transport: 'udp' | 'tcp' = 'udp'): Buffer | undefined {
  return replyToDns(message, { zone, rng: seededRng(1), transport });
}

function query(name: string, more: Packet = {}): Buffer {
  const questions = [{ name, type: 'A', class: 'IN' } as const];
  return encode({ type: 'query', id: 77, flags: RD, questions, ...more });
}

function edns(udpPayloadSize: number, ednsVersion = 0): Packet {
  const opt: Answer = {
    type: 'OPT',
    name: '.',
    udpPayloadSize,
    ednsVersion,
    extendedRcode: 0,
    flags: 0,
    flag_do: false,
    options: [],
  };
  return { additionals: [opt] };
}

describe('a reply', () => {
  it('repeats id, question and recursion bit, and is authoritative', () => {
    expect(decode(reply(query(`web.${svc}`))!)).toMatchObject({
      id: 77,
      type: 'response',
      flag_aa: true,
      flag_rd: true,
      flag_ra: false,
      questions: [{ name: `web.${svc}`, type: 'A' }],
      answers: [{ name: `web.${svc}`, type: 'A', ttl: 5, data: '10.96.0.20' }],
      authorities: [],
      additionals: [],
    });
  });

  it.each([
    ['no such name', `nope.${svc}`, 3],
    ['no such data', svc, 0],
  ])('about %s carries the SOA, so that resolvers remember it', (_, name, rcode) => {
    const bytes = reply(query(name))!;
    expect(rcodeOf(bytes)).toBe(rcode);
    expect(decode(bytes)).toMatchObject({
      answers: [],
      authorities: [{ type: 'SOA', name: 'cluster.local', data: { minimum: 5 } }],
    });
  });

  it("to someone else's name is a plain refusal", () => {
    const bytes = reply(query('example.org'))!;
    expect(rcodeOf(bytes)).toBe(5);
    expect(decode(bytes)).toMatchObject({ flag_aa: false, answers: [], authorities: [] });
  });

  it('over UDP that is too long is cut, and whole over TCP', () => {
    const cut = decode(reply(query(`many.${svc}`))!);
    expect(cut).toMatchObject({ flag_tc: true, answers: [] });
    const whole = decode(reply(query(`many.${svc}`), 'tcp')!);
    expect(whole.flag_tc).toBe(false);
    expect(new Set(whole.answers?.map((each) => 'data' in each && each.data))).toEqual(
      new Set(addresses.map(({ ip }) => ip)),
    );
  });

  it('may be longer for a client that says so, but never over 1232 bytes', () => {
    const few = dnsZone({
      ...smallTable,
      services: [{ ...many, addresses: addresses.slice(0, 20) }],
    });
    const long = query(`many.${svc}`, edns(4096));
    const bytes = replyToDns(long, { zone: few, rng: seededRng(1), transport: 'udp' })!;
    expect(bytes.length).toBeGreaterThan(512);
    expect(decode(bytes).additionals).toMatchObject([{ type: 'OPT', udpPayloadSize: 1232 }]);
    expect(decode(reply(long)!)).toMatchObject({ flag_tc: true });
  });

  it('mixes the addresses', () => {
    const first = (seed: number) => {
      const bytes = replyToDns(query(`many.${svc}`), {
        zone,
        rng: seededRng(seed),
        transport: 'tcp',
      });
      const [answer] = decode(bytes!).answers ?? [];
      return answer?.type === 'A' ? answer.data : undefined;
    };
    expect(new Set(Array.from({ length: 40 }, (_, seed) => first(seed))).size).toBeGreaterThan(10);
  });

  it('to a later version of EDNS says so', () => {
    const decoded = decode(reply(query(`web.${svc}`, edns(1232, 1)))!);
    expect(decoded.additionals).toMatchObject([{ type: 'OPT', extendedRcode: 1, ednsVersion: 0 }]);
    expect(decoded.answers).toEqual([]);
  });
});

describe('a message', () => {
  const check = (what: string, message: Buffer, rcode: number | undefined) =>
    it(`that is ${what} gets ${rcode ?? 'nothing'}`, () =>
      expect(rcodeOf(reply(message))).toBe(rcode));

  check('shorter than a header', Buffer.alloc(11), undefined);
  check('a reply itself', encode({ type: 'response', id: 1 }), undefined);
  check('without a question', encode({ type: 'query', id: 1 }), 1);
  check('cut off in its question', query(`web.${svc}`).subarray(0, 20), 1);
  check(
    'an update',
    encode({ type: 'query', flags: 5 << 11, questions: [{ name: svc, type: 'A' }] }),
    4,
  );
  check(
    'of another class',
    query('', { questions: [{ name: `web.${svc}`, type: 'A', class: 'CH' }] }),
    5,
  );

  it('of any bytes is survived', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 90 }), (bytes) => {
        reply(Buffer.from(bytes));
        const damaged = query(`web.${svc}`, edns(1232));
        damaged.set(bytes.slice(0, 30), Math.min(bytes.length, 12));
        reply(damaged);
      }),
    );
  });
});
