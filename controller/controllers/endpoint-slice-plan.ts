import type { Endpoint, EndpointPort, EndpointSlice } from '../../api/endpoint-slice.ts';
import type { FieldsOf, NewObject } from '../../api/kind.ts';
import type { Pod } from '../../api/pod.ts';
import { isPodFinished, isPodReady } from '../../api/pod-facts.ts';
import { isSame } from '../../api/same.ts';
import type { Service, ServicePort } from '../../api/service.ts';
import { controllerReference } from './ownership.ts';

export interface EndpointSliceObservation {
  readonly service: Service;
  /** Those that its selector matches. */
  readonly pods: readonly Pod[];
  /** Those that this controller has made for it. */
  readonly slices: readonly EndpointSlice[];
}

type NewSlice = NewObject<FieldsOf<typeof EndpointSlice>>;

const serviceLabel = 'kubernetes.io/service-name';
export const managedByLabel = 'endpointslice.kubernetes.io/managed-by';
export const manager = 'endpointslice-controller.k8s.io';

/** As in Kubernetes: a change of one endpoint is then a small message. */
const maxEndpoints = 100;

/** An endpoint stays in the slice where it is; freed room is filled before a new slice is made. */
export function planEndpointSlices(observation: EndpointSliceObservation) {
  const { service, pods, slices } = observation;
  const groups = groupByPorts(service, pods);
  const kept = new Set<EndpointSlice>();
  const update: EndpointSlice[] = [];
  const create: NewSlice[] = [];
  for (const { ports, endpoints } of groups) {
    const same = slices.filter((slice) => isSame(slice.ports ?? [], ports));
    const filled = fill(same, endpoints);
    for (const { slice, contents } of filled.slices) {
      kept.add(slice);
      const metadata = { ...slice.metadata, labels: labelsOf(service) };
      const next = { ...slice, metadata, endpoints: contents };
      if (!isSame(next, slice)) update.push(next);
    }
    for (const rest of filled.rest) create.push(newSlice(service, { ports, endpoints: rest }));
  }
  return { create, update, remove: slices.filter((slice) => !kept.has(slice)) };
}

type PortGroup = Readonly<{ ports: readonly EndpointPort[]; endpoints: readonly Endpoint[] }>;

/** A named target port may be another number in another pod: such pods go into slices of their own. */
function groupByPorts(service: Service, pods: readonly Pod[]): readonly PortGroup[] {
  const reachable = pods.filter((pod) => pod.status.podIP && !isPodFinished(pod));
  const groups = Map.groupBy(reachable, (pod) => JSON.stringify(portsIn(service, pod)));
  return [...groups.values()].map((members) => ({
    ports: portsIn(service, members[0] as Pod),
    endpoints: members
      .toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))
      .map((pod) => endpointOf(service, pod)),
  }));
}

const portsIn = ({ spec }: Service, pod: Pod): readonly EndpointPort[] =>
  (spec.ports ?? []).flatMap((port) => {
    const number = targetPort(port, pod);
    const { name = '', protocol, appProtocol } = port;
    const optional = appProtocol === undefined ? {} : { appProtocol };
    return number === undefined ? [] : [{ name, protocol, port: number, ...optional }];
  });

function targetPort({ targetPort: target, protocol }: ServicePort, pod: Pod) {
  if (typeof target === 'number') return target;
  return pod.spec.containers
    .flatMap((container) => container.ports ?? [])
    .find((candidate) => candidate.name === target && candidate.protocol === protocol)
    ?.containerPort;
}

function endpointOf({ spec, metadata }: Service, pod: Pod): Endpoint {
  const isTerminating = pod.metadata.deletionTimestamp !== undefined;
  const isServing = isPodReady(pod) || spec.publishNotReadyAddresses === true;
  const { hostname, subdomain, nodeName } = pod.spec;
  const { namespace, name, uid } = pod.metadata;
  return {
    addresses: [pod.status.podIP ?? ''],
    conditions: {
      ready: isServing && (!isTerminating || spec.publishNotReadyAddresses === true),
      serving: isServing,
      terminating: isTerminating,
    },
    ...(hostname && subdomain === metadata.name ? { hostname } : {}),
    ...(nodeName ? { nodeName } : {}),
    targetRef: { kind: 'Pod', namespace, name, uid },
  };
}

/** `rest`: what is left, in slices to be made. */
function fill(slices: readonly EndpointSlice[], endpoints: readonly Endpoint[]) {
  const waiting = new Map(endpoints.map((endpoint) => [uidOf(endpoint), endpoint]));
  const staying = slices.map((slice) => {
    const contents = slice.endpoints.flatMap((known) => take(waiting, uidOf(known)));
    return { slice, contents };
  });
  const fresh = [...waiting.values()];
  const filled = staying.map(({ slice, contents }) => ({
    slice,
    contents: [...contents, ...fresh.splice(0, maxEndpoints - contents.length)],
  }));
  const rest: Endpoint[][] = [];
  while (fresh.length > 0) rest.push(fresh.splice(0, maxEndpoints));
  return { slices: filled.filter(({ contents }) => contents.length > 0), rest };
}

const uidOf = ({ targetRef }: Endpoint) => targetRef?.uid ?? '';

function take(waiting: Map<string, Endpoint>, uid: string): readonly Endpoint[] {
  const endpoint = waiting.get(uid);
  waiting.delete(uid);
  return endpoint ? [endpoint] : [];
}

function labelsOf({ metadata, spec }: Service): Readonly<Record<string, string>> {
  const headless = spec.clusterIP === 'None' ? { 'service.kubernetes.io/headless': '' } : {};
  const own = { [serviceLabel]: metadata.name, [managedByLabel]: manager };
  return { ...metadata.labels, ...headless, ...own };
}

function newSlice(service: Service, { ports, endpoints }: PortGroup): NewSlice {
  const { name, namespace } = service.metadata;
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      labels: labelsOf(service),
      generateName: `${name}-`,
      namespace,
      ownerReferences: [controllerReference(service)],
    },
    addressType: 'IPv4',
    endpoints,
    ports,
  };
}
