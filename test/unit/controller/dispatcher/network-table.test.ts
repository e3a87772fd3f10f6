import { describe, expect, it } from 'vitest';
import { EndpointSlice } from '../../../../api/endpoint-slice.ts';
import type { Kind, KubeObject } from '../../../../api/kind.ts';
import { Node } from '../../../../api/node.ts';
import { parseObject } from '../../../../api/prepare.ts';
import type { Fields } from '../../../../api/schema.ts';
import { Service } from '../../../../api/service.ts';
import { nodeRoute, serviceEntry } from '../../../../controller/dispatcher/network-table.ts';

function parsed<F extends Fields>(kind: Kind<F>, json: Readonly<Record<string, unknown>>) {
  const outcome = parseObject(kind, { metadata: { name: 'db', namespace: 'default' }, ...json });
  if ('errors' in outcome) throw new Error(JSON.stringify(outcome.errors));
  return outcome.object as KubeObject<F>;
}

const service = (spec: object) =>
  parsed(Service, { spec: { ports: [{ name: 'sql', port: 5432, targetPort: 15432 }], ...spec } });

const slice = parsed(EndpointSlice, {
  addressType: 'IPv4',
  ports: [{ name: 'sql', protocol: 'TCP', port: 15432 }],
  endpoints: [
    { addresses: ['10.244.0.1'], conditions: { ready: true }, hostname: 'db-0' },
    { addresses: ['10.244.0.2'], conditions: { ready: false } },
    { addresses: ['10.244.0.3'] },
  ],
});

describe('the row of a Service', () => {
  it('has the ready endpoints behind each port, with the pods’ port', () => {
    expect(serviceEntry(service({ clusterIP: '10.96.0.7' }), [slice])).toEqual({
      namespace: 'default',
      name: 'db',
      clusterIp: '10.96.0.7',
      sessionAffinityMs: undefined,
      ports: [
        {
          name: 'sql',
          protocol: 'TCP',
          port: 5432,
          endpoints: [
            { ip: '10.244.0.1', port: 15432 },
            { ip: '10.244.0.3', port: 15432 },
          ],
          nodePort: 0,
        },
      ],
      addresses: [
        { ip: '10.244.0.1', hostname: 'db-0' },
        { ip: '10.244.0.3', hostname: undefined },
      ],
      externalName: undefined,
    });
  });

  it('says which port of the nodes leads there', () => {
    const ports = [{ port: 5432, nodePort: 30_432 }];
    expect(serviceEntry(service({ type: 'NodePort', ports }), []).ports).toMatchObject([
      { port: 5432, nodePort: 30_432 },
    ]);
  });

  it('has the others too when the Service publishes them', () => {
    const entry = serviceEntry(service({ publishNotReadyAddresses: true }), [slice]);
    expect(entry.addresses.map(({ ip }) => ip)).toEqual(['10.244.0.1', '10.244.0.2', '10.244.0.3']);
  });

  it('has no address of its own when it is headless', () => {
    expect(serviceEntry(service({ clusterIP: 'None' }), []).clusterIp).toBeUndefined();
  });

  it('has the time that a client stays with its pod', () => {
    const entry = serviceEntry(service({ sessionAffinity: 'ClientIP' }), []);
    expect(entry.sessionAffinityMs).toBe(10_800_000);
  });
});

describe('the route to a node', () => {
  const node = (spec: object, status: object) =>
    nodeRoute(parsed(Node, { metadata: { name: 'host1' }, spec, status }));
  const addresses = [{ type: 'InternalIP', address: '192.168.0.7' }];

  it('needs its address and its pod CIDR', () => {
    expect(node({ podCIDR: '10.244.0.0/22' }, { addresses })).toEqual({
      name: 'host1',
      address: '192.168.0.7',
      podCidr: '10.244.0.0/22',
    });
    expect(node({}, { addresses })).toBeUndefined();
    expect(node({ podCIDR: '10.244.0.0/22' }, {})).toBeUndefined();
  });
});
