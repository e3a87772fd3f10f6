import type { FieldError, FieldPath } from './field-error.ts';
import { unchanged } from './immutable.ts';
import { type Kind, type KubeObject, kind } from './kind.ts';
import { checkDns1035Label } from './names.ts';
import {
  bool,
  defaulted,
  derived,
  fixed,
  int,
  intOrString,
  list,
  listMap,
  map,
  type ObjectOf,
  obj,
  required,
  str,
  unsupported,
  unsupportedFields,
} from './schema.ts';
import { serviceColumns } from './service-columns.ts';
import { validateServiceSpec } from './validate-service-spec.ts';

const portFields = {
  name: str({ about: 'Needed when there are several ports.' }),
  protocol: defaulted(str({ values: ['TCP', 'UDP'], lacks: ['SCTP'] }), 'TCP'),
  port: required(int({ min: 1, max: 65_535, about: 'Port of the Service.' })),
  targetPort: derived(
    intOrString({ about: "Port of the pods, or its name in them; default: the Service's." }),
  ),
  appProtocol: str(),
  nodePort: unsupported(0),
};

const specFields = {
  type: defaulted(
    str({ values: ['ClusterIP', 'ExternalName'], lacks: ['NodePort', 'LoadBalancer'] }),
    'ClusterIP',
  ),
  selector: map(str(), { about: 'Labels of its pods; none: you make the EndpointSlices.' }),
  ports: listMap(obj(portFields), { keys: ['port', 'protocol'] }),
  clusterIP: str({ about: 'Given by the controller; None: no address, only names (headless).' }),
  clusterIPs: list(str()),
  externalName: str({ about: 'With type ExternalName: a DNS name to point at.' }),
  publishNotReadyAddresses: bool({ about: 'Names and addresses of pods that are not ready too.' }),
  sessionAffinity: defaulted(
    str({ values: ['None', 'ClientIP'], about: 'ClientIP: a client stays with its pod.' }),
    'None',
  ),
  sessionAffinityConfig: obj({
    clientIP: obj({ timeoutSeconds: defaulted(int({ min: 1, max: 86_400 }), 10_800) }),
  }),
  ipFamilies: list(str({ values: ['IPv4'], lacks: ['IPv6'] })),
  ipFamilyPolicy: str({ values: ['SingleStack'], lacks: ['PreferDualStack', 'RequireDualStack'] }),
  internalTrafficPolicy: fixed('Cluster'),
  allocateLoadBalancerNodePorts: unsupported(true),
  externalTrafficPolicy: unsupported('Cluster'),
  healthCheckNodePort: unsupported(0),
  ...unsupportedFields(
    'externalIPs',
    'loadBalancerClass',
    'loadBalancerIP',
    'loadBalancerSourceRanges',
    'trafficDistribution',
  ),
};

const fields = {
  spec: required(obj(specFields)),
  status: defaulted(
    obj({
      loadBalancer: defaulted(obj({ ingress: unsupported() }), {}),
      conditions: unsupported(),
    }),
    { loadBalancer: {} },
  ),
};

export type Service = KubeObject<typeof fields>;
export type ServicePort = ObjectOf<typeof portFields>;
export type ServiceSpec = ObjectOf<typeof specFields>;

export const Service: Kind<typeof fields> = kind({
  group: '',
  version: 'v1',
  kind: 'Service',
  plural: 'services',
  shortNames: ['svc'],
  categories: ['all'],
  namespaced: true,
  about: 'One address and one name for the ready ones among many pods.',
  subresources: ['status'],
  checkName: checkDns1035Label,
  fields,
  applyDefaults: defaultService,
  validate: ({ spec }, at) => validateServiceSpec(spec, at('spec')),
  validateUpdate: validateClusterIpUpdate,
  inherit: keepClusterIp,
  claims: ({ spec }) =>
    hasClusterIp(spec) ? [{ key: `service-ip/${spec.clusterIP}`, path: 'spec.clusterIP' }] : [],
  columns: serviceColumns,
  selectableFields: {
    'spec.clusterIP': { of: ({ spec }) => spec.clusterIP ?? '' },
    'spec.type': { of: ({ spec }) => spec.type },
  },
});

/** It has, or asks for, an address: not headless, not a mere name, and given one already. */
const hasClusterIp = ({ clusterIP }: ServiceSpec): boolean =>
  clusterIP !== undefined && clusterIP !== '' && clusterIP !== 'None';

/** With its address, wherever Kubernetes shows it. */
export function withClusterIp<S extends { readonly spec: ServiceSpec }>(
  service: S,
  clusterIP: string,
): S {
  return { ...service, spec: { ...service.spec, clusterIP, clusterIPs: [clusterIP] } };
}

function defaultService(service: Service): Service {
  const { clusterIP, clusterIPs } = service.spec;
  const spec = withDefaults(service.spec);
  const known = clusterIP || clusterIPs?.[0];
  if (!known || spec.type !== 'ClusterIP') return { ...service, spec };
  return { ...service, spec: { ...spec, clusterIP: known, clusterIPs: clusterIPs ?? [known] } };
}

function withDefaults(spec: ServiceSpec): ServiceSpec {
  const families = { ipFamilies: ['IPv4'], ipFamilyPolicy: 'SingleStack' } as const;
  const affinity = { sessionAffinityConfig: { clientIP: { timeoutSeconds: 10_800 } } };
  return {
    ...(spec.type === 'ClusterIP' ? families : {}),
    ...(spec.sessionAffinity === 'ClientIP' ? affinity : {}),
    ...spec,
    ...(spec.ports && {
      ports: spec.ports.map((port) => ({ ...port, targetPort: port.targetPort || port.port })),
    }),
  };
}

/** `kubectl replace` sends a Service without the address that it was given. */
function keepClusterIp(next: Service, previous: Service): Service {
  const { clusterIP } = previous.spec;
  const isSameType = next.spec.type === 'ClusterIP' && previous.spec.type === 'ClusterIP';
  return isSameType && clusterIP && !next.spec.clusterIP ? withClusterIp(next, clusterIP) : next;
}

function validateClusterIpUpdate(
  next: Service,
  previous: Service,
  at: FieldPath,
): readonly FieldError[] {
  if (previous.spec.type !== 'ClusterIP' || next.spec.type !== 'ClusterIP') return [];
  if (!previous.spec.clusterIP) return [];
  return unchanged(next.spec.clusterIP, previous.spec.clusterIP, at('spec')('clusterIP'));
}
