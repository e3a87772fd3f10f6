import { checkLabels } from './check-metadata.ts';
import { text, wide } from './columns.ts';
import * as field from './field-error.ts';
import { unchanged } from './immutable.ts';
import { type Kind, type KubeObject, kind } from './kind.ts';
import * as names from './names.ts';
import * as s from './schema.ts';
import { formatLabelSelector } from './selector.ts';

const portFields = {
  name: s.str().doc('Needed when there are several ports.'),
  protocol: s.str({ values: ['TCP', 'UDP'], lacks: ['SCTP'] }).default('TCP'),
  port: s.int({ min: 1, max: 65_535 }).doc('Port of the Service.').required(),
  targetPort: s
    .intOrString()
    .doc("Port of the pods, or its name in them; default: the Service's.")
    .derived(),
  appProtocol: s.str().doc('For whoever forwards by it; orc does not.'),
  nodePort: s
    .int({ min: 0, max: 65_535 })
    .doc("Open on every node's addresses; given by the controller."),
};

const specFields = {
  type: s
    .str({ values: ['ClusterIP', 'NodePort', 'ExternalName'], lacks: ['LoadBalancer'] })
    .doc('From where it can be reached.')
    .default('ClusterIP'),
  selector: s.map(s.str()).doc('Labels of its pods; none: you make the EndpointSlices.'),
  ports: s.listMap(s.obj(portFields), 'port', 'protocol').doc('Its ports.'),
  clusterIP: s.str().doc('Given by the controller; None: no address, only names (headless).'),
  clusterIPs: s.list(s.str()).doc('The same as a list.'),
  externalName: s.str().doc('With type ExternalName: a DNS name to point at.'),
  publishNotReadyAddresses: s.bool().doc('Names and addresses of pods that are not ready too.'),
  sessionAffinity: s
    .str({ values: ['None', 'ClientIP'] })
    .doc('ClientIP: a client stays with its pod.')
    .default('None'),
  sessionAffinityConfig: s.obj({
    clientIP: s.obj({ timeoutSeconds: s.int({ min: 1, max: 86_400 }).default(10_800) }),
  }),
  ipFamilies: s.list(s.str({ values: ['IPv4'], lacks: ['IPv6'] })),
  ipFamilyPolicy: s.str({
    values: ['SingleStack'],
    lacks: ['PreferDualStack', 'RequireDualStack'],
  }),
  internalTrafficPolicy: s.fixed('Cluster'),
  allocateLoadBalancerNodePorts: s.unsupported(true),
  externalTrafficPolicy: s
    .str({ values: ['Cluster'], lacks: ['Local'] })
    .doc('With type NodePort: each node leads to all pods.'),
  healthCheckNodePort: s.unsupported(0),
  ...s.unsupportedFields(
    'externalIPs loadBalancerClass loadBalancerIP loadBalancerSourceRanges trafficDistribution',
  ),
};

const fields = {
  spec: s.obj(specFields).required(),
  status: s
    .obj({
      loadBalancer: s.obj({ ingress: s.unsupported() }).default({}),
      conditions: s.unsupported(),
    })
    .default({ loadBalancer: {} }),
};

export type Service = KubeObject<typeof fields>;
export type ServicePort = s.ObjectOf<typeof portFields>;
export type ServiceSpec = s.ObjectOf<typeof specFields>;

export const Service: Kind<typeof fields> = kind({
  kind: 'Service',
  shortNames: ['svc'],
  categories: ['all'],
  about: 'One address and one name for the ready ones among many pods.',
  subresources: ['status', 'proxy'],
  checkName: names.checkDns1035Label,
  fields,
  applyDefaults: defaultService,
  validate: ({ spec }, at) => validateServiceSpec(spec, at('spec')),
  validateUpdate: validateClusterIpUpdate,
  inherit: (next, previous) => keepNodePorts(keepClusterIp(next, previous), previous),
  claims: ({ spec }) => [
    ...(hasClusterIp(spec)
      ? [{ key: `service-ip/${spec.clusterIP}`, path: 'spec.clusterIP' }]
      : []),
    ...nodePortClaims(spec),
  ],
  // As `kubectl get services` shows them.
  columns: [
    text('Type', 'How it is reached.', ({ spec }) => spec.type),
    text('Cluster-IP', 'Its address; None when it is headless.', clusterIp),
    text('External-IP', 'The name that it stands for.', externalName),
    text('Port(s)', 'Its ports, and behind a colon those of the nodes.', portList),
    wide(
      text('Selector', 'Labels of its pods.', ({ spec }) =>
        formatLabelSelector({ matchLabels: spec.selector }),
      ),
    ),
  ],
  selectableFields: {
    'spec.clusterIP': ({ spec }) => spec.clusterIP,
    'spec.type': ({ spec }) => spec.type,
  },
});

/** It has, or asks for, an address: not headless, not a mere name, and given one already. */
const hasClusterIp = ({ clusterIP }: ServiceSpec): boolean =>
  clusterIP !== undefined && clusterIP !== '' && clusterIP !== 'None';

/** A port for TCP and one for UDP may have the same number; two Services may not. */
function nodePortClaims({ ports = [] }: ServiceSpec) {
  const numbers = ports.map(({ nodePort }) => nodePort);
  return numbers.flatMap((number, i) =>
    number && numbers.indexOf(number) === i
      ? [{ key: `node-port/${number}`, path: `spec.ports[${i}].nodePort` }]
      : [],
  );
}

/** With its address, wherever Kubernetes shows it. */
export function withClusterIp<S extends Pick<Service, 'spec'>>(service: S, clusterIP: string): S {
  return { ...service, spec: { ...service.spec, clusterIP, clusterIPs: [clusterIP] } };
}

function defaultService(service: Service): Service {
  const { clusterIP, clusterIPs } = service.spec;
  const spec = withDefaults(service.spec);
  const known = clusterIP || clusterIPs?.[0];
  if (!known || spec.type === 'ExternalName') return { ...service, spec };
  return { ...service, spec: { ...spec, clusterIP: known, clusterIPs: clusterIPs ?? [known] } };
}

function withDefaults(spec: ServiceSpec): ServiceSpec {
  const families = { ipFamilies: ['IPv4'], ipFamilyPolicy: 'SingleStack' } as const;
  const affinity = { sessionAffinityConfig: { clientIP: { timeoutSeconds: 10_800 } } };
  return {
    ...(spec.type === 'ExternalName' ? {} : families),
    ...(spec.type === 'NodePort' ? { externalTrafficPolicy: 'Cluster' } : {}),
    ...(spec.sessionAffinity === 'ClientIP' ? affinity : {}),
    ...spec,
    ...(spec.ports && { ports: spec.ports.map(withPortDefaults) }),
  };
}

function withPortDefaults({ nodePort, ...port }: ServicePort): ServicePort {
  const targetPort = port.targetPort || port.port;
  return { ...port, targetPort, ...(nodePort ? { nodePort } : {}) };
}

/** `kubectl replace` sends a Service without the address that it was given; a patch leaves it to what is a mere name now. */
function keepClusterIp(next: Service, { spec: { type, clusterIP: held } }: Service): Service {
  const { clusterIP, clusterIPs: _, ipFamilies: __, ipFamilyPolicy: ___, ...spec } = next.spec;
  if (spec.type === 'ExternalName')
    return clusterIP && clusterIP === held ? { ...next, spec } : next;
  return type !== 'ExternalName' && held && !clusterIP ? withClusterIp(next, held) : next;
}

/** Nor its node ports; and one that ceases to be a NodePort gives up what it had only as that. */
function keepNodePorts(next: Service, { spec: before }: Service): Service {
  if (before.type !== 'NodePort') return next;
  const held = before.ports ?? [];
  if (next.spec.type === 'NodePort') {
    const heldBy = ({ port, protocol }: ServicePort) =>
      held.find((one) => one.port === port && one.protocol === protocol)?.nodePort;
    return withPorts(next, (port) => ({ ...port, nodePort: port.nodePort ?? heldBy(port) }));
  }
  const { externalTrafficPolicy: _, ...spec } = next.spec;
  const isHeld = (port: ServicePort) => held.some(({ nodePort }) => nodePort === port.nodePort);
  return withPorts({ ...next, spec }, (port) =>
    isHeld(port) ? { ...port, nodePort: undefined } : port,
  );
}

const withPorts = (service: Service, change: (port: ServicePort) => ServicePort): Service => ({
  ...service,
  spec: { ...service.spec, ports: service.spec.ports?.map(change) },
});

function validateClusterIpUpdate(next: Service, previous: Service, at: field.FieldPath) {
  if ([next, previous].some(({ spec }) => spec.type === 'ExternalName')) return [];
  if (!previous.spec.clusterIP) return [];
  return unchanged(next.spec.clusterIP, previous.spec.clusterIP, at('spec')('clusterIP'));
}

function clusterIp({ spec }: Service): string {
  return spec.clusterIP || '<none>';
}

function externalName({ spec }: Service): string {
  return (spec.type === 'ExternalName' && spec.externalName) || '<none>';
}

function portList({ spec: { ports = [] } }: Service): string {
  const words = ports.map(({ port, nodePort, protocol }) =>
    nodePort ? `${port}:${nodePort}/${protocol}` : `${port}/${protocol}`,
  );
  return words.join(',') || '<none>';
}

const validateServiceSpec: field.Rule<ServiceSpec> = (spec, at) => {
  const { type, ports = [], clusterIP, selector, externalTrafficPolicy } = spec;
  const mayLackPorts = type === 'ExternalName' || clusterIP === 'None';
  const policyAt = at('externalTrafficPolicy');
  return field.errorsOf(
    ports.length === 0 && !mayLackPorts && field.required(at('ports')),
    field.errorsOfEach(ports, at('ports'), validatePort(spec)),
    externalTrafficPolicy &&
      type !== 'NodePort' &&
      field.invalid(policyAt, externalTrafficPolicy, ONLY_REACHABLE),
    checkLabels(selector, at('selector')),
    type === 'ExternalName' ? validateExternalName(spec, at) : validateClusterIp(spec, at),
    spec.sessionAffinity === 'None' &&
      spec.sessionAffinityConfig !== undefined &&
      field.forbidden(at('sessionAffinityConfig'), 'must not be set when session affinity is None'),
  );
};

const ONLY_REACHABLE = 'may only be set for externally-accessible services';

const validatePort =
  ({ type, ports = [] }: ServiceSpec): field.Rule<ServicePort> =>
  (port, at) => {
    const { name, targetPort, nodePort, protocol } = port;
    const sameName = ports.filter((other) => other.name === name);
    const first = ports.find((one) => one.nodePort === nodePort && one.protocol === protocol);
    return field.errorsOf(
      !name && ports.length > 1 && field.required(at('name')),
      name && field.check(at('name'), name, names.checkDnsLabel),
      name && sameName.length > 1 && field.duplicate(at('name'), name),
      field.check(at('targetPort'), targetPort, names.checkPortNumberOrName),
      nodePort &&
        type !== 'NodePort' &&
        field.forbidden(at('nodePort'), `may not be used when \`type\` is '${type}'`),
      nodePort &&
        type === 'NodePort' &&
        first !== port &&
        field.duplicate(at('nodePort'), nodePort),
    );
  };

const validateExternalName: field.Rule<ServiceSpec> = ({ externalName, clusterIP }, at) => {
  const name = externalName?.replace(/\.$/, '');
  return field.errorsOf(
    name
      ? field.check(at('externalName'), externalName, () => names.checkDnsSubdomain(name))
      : field.required(at('externalName')),
    clusterIP &&
      clusterIP !== 'None' &&
      field.forbidden(at('clusterIP'), 'may not be set for ExternalName services'),
  );
};

const validateClusterIp: field.Rule<ServiceSpec> = ({ type, clusterIP, clusterIPs = [] }, at) => {
  const [first = clusterIP, ...more] = clusterIPs;
  const isHeadless = clusterIP === 'None';
  const path = at('clusterIP');
  const all = at('clusterIPs');
  return field.errorsOf(
    type === 'NodePort' &&
      isHeadless &&
      field.invalid(path, clusterIP, "may not be set to 'None' for NodePort services"),
    clusterIP && !isHeadless && field.check(path, clusterIP, names.checkIpv4),
    first !== clusterIP && field.invalid(all(0), first, 'must be the same as `clusterIP`'),
    more.length > 0 && field.invalid(all, clusterIPs, 'must hold one address'),
  );
};
