import { expect, it } from 'vitest';
import { answerDns, type DnsAnswer } from '../../../../agent/network/dns-answer.ts';
import { dnsZone } from '../../../../agent/network/dns-zone.ts';
import type { ServiceEntry } from '../../../../agent/ports.ts';
import { smallTable } from '../../../contract/network-port.contract.ts';

const web = smallTable.services[0]!;
const http = web.ports[0]!;
const endpoints = [
  { ip: '10.244.4.2', port: 5432 },
  { ip: '10.244.8.3', port: 5432 },
];
const headless: ServiceEntry = {
  ...web,
  name: 'db',
  clusterIp: undefined,
  ports: [{ ...http, name: 'sql', port: 5432, endpoints }],
  addresses: [
    { ip: '10.244.4.2', hostname: 'db-0' },
    { ip: '10.244.8.3', hostname: undefined },
  ],
};
const external = (name: string, externalName: string): ServiceEntry => ({
  ...web,
  name,
  clusterIp: undefined,
  ports: [],
  addresses: [],
  externalName,
});
const zone = dnsZone({
  ...smallTable,
  services: [
    web,
    headless,
    external('far', 'Example.org.'),
    external('near', 'web.default.svc.cluster.local'),
    external('loop', 'loop.default.svc.cluster.local'),
  ],
});

const found = (...answers: object[]) => ({ rcode: 'NOERROR', answers, additionals: [] });
const noData = found();
const a = (name: string, data: string) => ({ type: 'A', name, data });
const cname = (name: string, data: string) => ({ type: 'CNAME', name, data });

function check(what: string, [name, type]: [string, string], expected: object): void {
  it(`answers ${what}: ${type} ${name}`, () => {
    const answer: DnsAnswer = answerDns({ name, type }, zone);
    expect(answer).toEqual(expected);
  });
}

const svc = 'svc.cluster.local';
check('a service', [`web.default.${svc}`, 'A'], found(a(`web.default.${svc}`, '10.96.0.20')));
check(
  'in any case, as it was asked',
  [`WeB.default.${svc}`, 'A'],
  found(a(`WeB.default.${svc}`, '10.96.0.20')),
);
check('IPv6 with no data', [`web.default.${svc}`, 'AAAA'], noData);
check('a type without a name with no data', [`web.default.${svc}`, 'UNKNOWN_65'], noData);
check('an unknown service', [`nope.default.${svc}`, 'A'], { rcode: 'NXDOMAIN' });
check('an unknown name below a service', [`x.web.default.${svc}`, 'A'], { rcode: 'NXDOMAIN' });
check('a name that only others end in', [`default.${svc}`, 'A'], noData);
check('the domain itself', ['cluster.local', 'A'], noData);
check(
  'the version of the scheme',
  ['dns-version.cluster.local', 'TXT'],
  found({ type: 'TXT', name: 'dns-version.cluster.local', data: '1.1.0' }),
);
check(
  'a headless service',
  [`db.default.${svc}`, 'A'],
  found(a(`db.default.${svc}`, '10.244.4.2'), a(`db.default.${svc}`, '10.244.8.3')),
);
check(
  'a hostname',
  [`db-0.db.default.${svc}`, 'A'],
  found(a(`db-0.db.default.${svc}`, '10.244.4.2')),
);
check(
  'an endpoint without one',
  [`10-244-8-3.db.default.${svc}`, 'A'],
  found(a(`10-244-8-3.db.default.${svc}`, '10.244.8.3')),
);
check('a named port', [`_http._tcp.web.default.${svc}`, 'SRV'], {
  rcode: 'NOERROR',
  answers: [
    {
      type: 'SRV',
      name: `_http._tcp.web.default.${svc}`,
      data: { target: `web.default.${svc}`, port: 80 },
    },
  ],
  additionals: [a(`web.default.${svc}`, '10.96.0.20')],
});
check(
  "a headless service's port, each endpoint by its name",
  [`_sql._tcp.db.default.${svc}`, 'SRV'],
  {
    rcode: 'NOERROR',
    answers: [`db-0.db.default.${svc}`, `10-244-8-3.db.default.${svc}`].map((target) => ({
      type: 'SRV',
      name: `_sql._tcp.db.default.${svc}`,
      data: { target, port: 5432 },
    })),
    additionals: [
      a(`db-0.db.default.${svc}`, '10.244.4.2'),
      a(`10-244-8-3.db.default.${svc}`, '10.244.8.3'),
    ],
  },
);
check('an unknown port', [`_ftp._tcp.web.default.${svc}`, 'SRV'], { rcode: 'NXDOMAIN' });
check(
  'an external name',
  [`far.default.${svc}`, 'A'],
  found(cname(`far.default.${svc}`, 'example.org')),
);
check(
  'an external name that is the cluster’s',
  [`near.default.${svc}`, 'A'],
  found(cname(`near.default.${svc}`, `web.default.${svc}`), a(`web.default.${svc}`, '10.96.0.20')),
);
check(
  'a pod by its address',
  ['10-244-4-9.any.pod.cluster.local', 'A'],
  found(a('10-244-4-9.any.pod.cluster.local', '10.244.4.9')),
);
check('an address that no pod can have', ['192-168-1-1.any.pod.cluster.local', 'A'], {
  rcode: 'NXDOMAIN',
});
check('a namespace of pods', ['any.pod.cluster.local', 'A'], noData);
check(
  'the reverse of a service',
  ['20.0.96.10.in-addr.arpa', 'PTR'],
  found({ type: 'PTR', name: '20.0.96.10.in-addr.arpa', data: `web.default.${svc}` }),
);
check(
  'the reverse of a headless endpoint',
  ['2.4.244.10.in-addr.arpa', 'PTR'],
  found({ type: 'PTR', name: '2.4.244.10.in-addr.arpa', data: `db-0.db.default.${svc}` }),
);
check('the reverse of a free address', ['99.0.96.10.in-addr.arpa', 'PTR'], { rcode: 'NXDOMAIN' });
check("someone else's reverse name", ['1.1.168.192.in-addr.arpa', 'PTR'], { rcode: 'REFUSED' });
check("someone else's name", ['example.org', 'A'], { rcode: 'REFUSED' });
check('a name that merely looks like the domain', ['xcluster.local', 'A'], { rcode: 'REFUSED' });

it('follows external names in a circle only so far', () => {
  const answer = answerDns({ name: `loop.default.${svc}`, type: 'A' }, zone);
  expect(answer.rcode === 'NOERROR' && answer.answers.length).toBe(9);
});
