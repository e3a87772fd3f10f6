import { type Answer, decode, encode, type Packet } from 'dns-packet';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type DnsReplyOptions, replyToDns } from '../../../../agent/network/dns-message.ts';
import { dnsZone } from '../../../../agent/network/dns-zone.ts';
import { smallTable } from '../../../contract/network-port.contract.ts';
import { seededRng } from '../../../support/seeded-rng.ts';

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

const options = { zone, rng: seededRng(1), transport: 'udp', forward: undefined } as const;

function reply(message: Buffer, more: Partial<DnsReplyOptions> = {}): Promise<Buffer | undefined> {
  return replyToDns(message, { ...options, ...more });
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
  it('repeats id, question and recursion bit, and is authoritative', async () => {
    expect(decode((await reply(query(`web.${svc}`)))!)).toMatchObject({
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
  ])('about %s carries the SOA, so that resolvers remember it', async (_, name, rcode) => {
    const bytes = (await reply(query(name)))!;
    expect(rcodeOf(bytes)).toBe(rcode);
    expect(decode(bytes)).toMatchObject({
      answers: [],
      authorities: [{ type: 'SOA', name: 'cluster.local', data: { minimum: 5 } }],
    });
  });

  it("to someone else's name is a plain refusal", async () => {
    const bytes = (await reply(query('example.org')))!;
    expect(rcodeOf(bytes)).toBe(5);
    expect(decode(bytes)).toMatchObject({ flag_aa: false, answers: [], authorities: [] });
  });

  it('over UDP that is too long is cut, and whole over TCP', async () => {
    const cut = decode((await reply(query(`many.${svc}`)))!);
    expect(cut).toMatchObject({ flag_tc: true, answers: [] });
    const whole = decode((await reply(query(`many.${svc}`), { transport: 'tcp' }))!);
    expect(whole.flag_tc).toBe(false);
    expect(new Set(whole.answers?.map((each) => 'data' in each && each.data))).toEqual(
      new Set(addresses.map(({ ip }) => ip)),
    );
  });

  it('may be longer for a client that says so, but never over 1232 bytes', async () => {
    const few = dnsZone({
      ...smallTable,
      services: [{ ...many, addresses: addresses.slice(0, 20) }],
    });
    const long = query(`many.${svc}`, edns(4096));
    const bytes = (await reply(long, { zone: few }))!;
    expect(bytes.length).toBeGreaterThan(512);
    expect(decode(bytes).additionals).toMatchObject([{ type: 'OPT', udpPayloadSize: 1232 }]);
    expect(decode((await reply(long))!)).toMatchObject({ flag_tc: true });
  });

  it('mixes the addresses', async () => {
    const first = async (seed: number) => {
      const more = { rng: seededRng(seed), transport: 'tcp' } as const;
      const bytes = await reply(query(`many.${svc}`), more);
      const [answer] = decode(bytes!).answers ?? [];
      return answer?.type === 'A' ? answer.data : undefined;
    };
    const firsts = await Promise.all(Array.from({ length: 40 }, (_, seed) => first(seed)));
    expect(new Set(firsts).size).toBeGreaterThan(10);
  });

  it('to a later version of EDNS says so', async () => {
    const decoded = decode((await reply(query(`web.${svc}`, edns(1232, 1))))!);
    expect(decoded.additionals).toMatchObject([{ type: 'OPT', extendedRcode: 1, ednsVersion: 0 }]);
    expect(decoded.answers).toEqual([]);
  });
});

describe('a message', () => {
  const check = (what: string, message: Buffer, rcode: number | undefined) =>
    it(`that is ${what} gets ${rcode ?? 'nothing'}`, () =>
      expect(reply(message).then(rcodeOf)).resolves.toBe(rcode));

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

  it('of any bytes is survived', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 90 }), async (bytes) => {
        await reply(Buffer.from(bytes));
        const damaged = query(`web.${svc}`, edns(1232));
        damaged.set(bytes.slice(0, 30), Math.min(bytes.length, 12));
        await reply(damaged);
      }),
    );
  });
});

describe("a name that isn't the cluster's", () => {
  const outside: Answer = { name: 'www.example.org', type: 'A', data: '192.0.2.7' };
  const answering = (packet: Packet) => async (message: Buffer) =>
    encode({ ...decode(message), type: 'response', ...packet });

  it("is asked for as it was, and the node's server's reply handed back as it is", async () => {
    const forward = async (message: Buffer) => Buffer.concat([message, Buffer.from('as it is')]);
    const message = query('www.Example.org');
    expect(await reply(message, { forward })).toEqual(await forward(message));
  });

  it('is a failure when no server answers', async () => {
    const forward = async () => undefined;
    const bytes = await reply(query('example.org', edns(1232)), { forward });
    expect(rcodeOf(bytes)).toBe(2);
    expect(decode(bytes!)).toMatchObject({ id: 77, questions: [{ name: 'example.org' }] });
  });

  const named = { ...web, name: 'ext', clusterIp: undefined, externalName: 'www.example.org' };
  const withName = dnsZone({ ...smallTable, services: [{ ...named, ports: [], addresses: [] }] });
  const ask = (type: 'A' | 'CNAME', forward: DnsReplyOptions['forward']) => {
    const questions = [{ name: `ext.${svc}`, type, class: 'IN' } as const];
    return reply(query('', { questions }), { zone: withName, forward });
  };
  const alias = { name: `ext.${svc}`, type: 'CNAME', data: 'www.example.org' };

  it('is followed when a service stands for it', async () => {
    const bytes = await ask('A', answering({ answers: [outside] }));
    expect(decode(bytes!)).toMatchObject({ id: 77, answers: [alias, outside] });
    expect(rcodeOf(await ask('A', answering({ flags: 3 })))).toBe(3);
    expect(rcodeOf(await ask('A', async () => undefined))).toBe(2);
    expect(rcodeOf(await ask('A', async () => Buffer.from('no message at all')))).toBe(2);
  });

  it('is not followed for who asks for the alias itself, or when there is no server', async () => {
    const unasked = async () => Promise.reject(new Error('was asked'));
    expect(decode((await ask('CNAME', unasked))!).answers).toMatchObject([alias]);
    expect(decode((await ask('A', undefined))!).answers).toMatchObject([alias]);
  });
});
