import { describe, expect, it } from 'vitest';
import type { Ipv4Route } from '../../../../agent/kernel/rtnetlink.ts';
import {
  desiredRoutes,
  nodeRouteProtocol,
  planRoutes,
} from '../../../../agent/network/node-routes.ts';
import { smallTable } from '../../../contract/network-port.contract.ts';

const node = (number: number) => ({
  name: `host${number}`,
  address: `172.30.7.${number}`,
  podCidr: `10.244.${number * 4}.0/22`,
});
const base: Ipv4Route = {
  destination: '10.244.8.0',
  prefix: 22,
  protocol: nodeRouteProtocol,
  kind: 'unicast',
  gateway: '172.30.7.2',
  linkIndex: undefined,
  source: undefined,
};

describe('desired routes', () => {
  it('lead to the other nodes, to nowhere for free addresses, and to services from the own one', () => {
    const table = { ...smallTable, podCidr: '10.244.4.0/22', nodes: [node(1), node(2)] };
    expect(desiredRoutes(table, 5)).toEqual([
      base,
      { ...base, destination: '10.244.4.0', gateway: undefined, kind: 'unreachable' },
      {
        ...base,
        destination: '10.96.0.0',
        prefix: 16,
        gateway: undefined,
        linkIndex: 5,
        source: '172.30.7.1',
      },
    ]);
  });
});

describe('the plan', () => {
  /** As the kernel tells it: with the link that it found the gateway on. */
  const observed = { ...base, linkIndex: 2 };
  const check = (
    name: string,
    input: [observed: Ipv4Route[], desired: Ipv4Route[]],
    expected: { put: Ipv4Route[]; remove: Ipv4Route[] },
  ) => it(name, () => expect(planRoutes(...input)).toEqual(expected));

  check('leaves a route that is right', [[observed], [base]], { put: [], remove: [] });
  check('adds what is missing', [[], [base]], { put: [base], remove: [] });
  check('removes what nobody wants', [[observed], []], { put: [], remove: [observed] });
  const moved = { ...base, gateway: '172.30.7.3' };
  check('replaces a route whose node has moved', [[observed], [moved]], {
    put: [moved],
    remove: [],
  });
  const service = { ...base, gateway: undefined, linkIndex: 2, source: '172.30.7.1' };
  const elsewhere = { ...service, linkIndex: 3 };
  check('replaces a route whose link has changed', [[service], [elsewhere]], {
    put: [elsewhere],
    remove: [],
  });
});
