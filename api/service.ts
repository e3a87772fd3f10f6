import { type Kind, type KubeObject, kind } from './kind.ts';
import { checkDnsLabel } from './names.ts';
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
  checkName: checkDnsLabel,
  fields,
  columns: [],
});
