import { type Kind, type KubeObject, kind } from './kind.ts';
import { checkDnsSubdomain } from './names.ts';
import { objectReferenceFields } from './object-reference.ts';
import {
  bool,
  defaulted,
  int,
  list,
  map,
  type ObjectOf,
  obj,
  required,
  str,
  unsupported,
} from './schema.ts';

const endpointFields = {
  addresses: required(list(str(), { max: 100, about: 'All of the same endpoint.' })),
  conditions: defaulted(
    obj({
      ready: bool({ about: 'Traffic may go here.' }),
      serving: bool({ about: 'As ready, also while it terminates.' }),
      terminating: bool(),
    }),
    {},
  ),
  hostname: str({ about: "The pod's hostname, where the Service gives it a name." }),
  targetRef: obj(objectReferenceFields, { about: 'The pod.' }),
  nodeName: str(),
  zone: str(),
  deprecatedTopology: map(str()),
  hints: unsupported(),
};

const endpointPortFields = {
  name: defaulted(str({ about: "The Service port's name." }), ''),
  protocol: defaulted(str({ values: ['TCP', 'UDP'], lacks: ['SCTP'] }), 'TCP'),
  port: int({ min: 1, max: 65_535 }),
  appProtocol: str(),
};

const fields = {
  addressType: required(str({ values: ['IPv4'], lacks: ['IPv6', 'FQDN'] })),
  endpoints: defaulted(list(obj(endpointFields), { max: 1000 }), []),
  ports: list(obj(endpointPortFields), { max: 100 }),
};

export type EndpointSlice = KubeObject<typeof fields>;
export type Endpoint = ObjectOf<typeof endpointFields>;
export type EndpointPort = ObjectOf<typeof endpointPortFields>;

export const EndpointSlice: Kind<typeof fields> = kind({
  group: 'discovery.k8s.io',
  version: 'v1',
  kind: 'EndpointSlice',
  plural: 'endpointslices',
  namespaced: true,
  about: 'Some of the addresses behind a Service.',
  checkName: checkDnsSubdomain,
  fields,
  columns: [],
});
