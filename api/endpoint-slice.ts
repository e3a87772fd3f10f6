import { text } from './columns.ts';
import * as field from './field-error.ts';
import { unchanged } from './immutable.ts';
import { type Kind, type KubeObject, kind } from './kind.ts';
import { checkDnsLabel, checkIpv4 } from './names.ts';
import { objectReferenceFields } from './object-reference.ts';
import * as s from './schema.ts';

const endpointFields = {
  addresses: s.list(s.str(), { max: 100 }).doc('All of the same endpoint.').required(),
  conditions: s
    .obj({
      ready: s.bool().doc('Traffic may go here.'),
      serving: s.bool().doc('As ready, also while it terminates.'),
      terminating: s.bool(),
    })
    .default({}),
  hostname: s.str().doc("The pod's hostname, where the Service gives it a name."),
  targetRef: s.obj(objectReferenceFields).doc('The pod.'),
  nodeName: s.str(),
  zone: s.str(),
  deprecatedTopology: s.map(s.str()),
  hints: s.unsupported(),
};

const endpointPortFields = {
  name: s.str().doc("The Service port's name.").default(''),
  protocol: s.str({ values: ['TCP', 'UDP'], lacks: ['SCTP'] }).default('TCP'),
  port: s.int({ min: 1, max: 65_535 }),
  appProtocol: s.str(),
};

const fields = {
  addressType: s.str({ values: ['IPv4'], lacks: ['IPv6', 'FQDN'] }).required(),
  endpoints: s.list(s.obj(endpointFields), { max: 1000 }).default([]),
  ports: s.list(s.obj(endpointPortFields), { max: 100 }),
};

export type EndpointSlice = KubeObject<typeof fields>;
export type Endpoint = s.ObjectOf<typeof endpointFields>;
export type EndpointPort = s.ObjectOf<typeof endpointPortFields>;

export const EndpointSlice: Kind<typeof fields> = kind({
  group: 'discovery.k8s.io',
  kind: 'EndpointSlice',
  about: 'Some of the addresses behind a Service.',
  fields,
  validate: ({ endpoints, ports = [] }, at) => {
    const names = ports.map(({ name }) => name);
    return field.errorsOf(
      field.errorsOfEach(endpoints, at('endpoints'), ({ addresses }, path) =>
        validateAddresses(addresses, path('addresses')),
      ),
      field.errorsOfEach(names, at('ports'), (name, path, index) => [
        ...(name ? field.check(path('name'), name, checkDnsLabel) : []),
        ...(names.indexOf(name) < index ? [field.duplicate(path('name'), name)] : []),
      ]),
    );
  },
  validateUpdate: (next, previous, at) =>
    unchanged(next.addressType, previous.addressType, at('addressType')),
  columns: [
    text('AddressType', 'IPv4.', ({ addressType }) => addressType),
    text('Ports', 'Ports of the endpoints.', ({ ports = [] }) =>
      shortList(ports.map(({ port }) => String(port ?? '*'))),
    ),
    text('Endpoints', 'Some of the addresses.', ({ endpoints }) =>
      shortList(endpoints.flatMap(({ addresses }) => addresses)),
    ),
  ],
});

const validateAddresses: field.Rule<readonly string[]> = (addresses, at) => {
  if (addresses.length === 0) return [field.required(at, 'must contain at least 1 address')];
  return field.errorsOfEach(addresses, at, (one, path) => field.check(path, one, checkIpv4));
};

/** "10.0.0.1,10.0.0.2,10.0.0.3 + 4 more..." */
export function shortList(words: readonly string[], none = '<unset>'): string {
  if (words.length === 0) return none;
  const shown = words.slice(0, 3).join(',');
  return words.length > 3 ? `${shown} + ${words.length - 3} more...` : shown;
}
