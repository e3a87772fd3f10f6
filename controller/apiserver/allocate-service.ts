import * as field from '../../api/field-error.ts';
import type { AnyObject, Kind } from '../../api/kind.ts';
import { Service, type ServicePort, type ServiceSpec } from '../../api/service.ts';
import { hasReason, invalid, StatusError } from '../../api/status.ts';
import * as ipv4 from '../../base/ipv4.ts';
import type { Rng } from '../../base/rng.ts';
import type { ApiServerDeps } from './call.ts';

/** Of a Service to be written, or one to be changed into it. */
type Wanted<T> = Readonly<{ kind: Kind; object: T; previous?: AnyObject | undefined }>;

type Allocators = Pick<ApiServerDeps, 'cache' | 'rng' | 'serviceCidr'>;

/**
 * Writes an object; a Service with the address and node ports that it lacks: random free ones, as far as the cache
 * knows. The claims on them, in the same transaction as the Service, make it safe; when another Service was faster,
 * others are tried.
 */
export async function writeAllocated<T extends object>(
  wanted: Wanted<T>,
  deps: Allocators,
  write: (object: T) => Promise<AnyObject>,
): Promise<AnyObject> {
  for (let tries = 1; ; tries++) {
    const object = withAllocations(wanted, deps);
    try {
      return await write(object);
    } catch (error) {
      if (object === wanted.object || !isTaken(error) || tries === maxTries) throw error;
    }
  }
}

/** The object itself if it is no Service or lacks nothing. Throws StatusError for a choice that nobody may make. */
export function withAllocations<T extends object>(
  { kind, object, previous }: Wanted<T>,
  deps: Allocators,
): T {
  if (kind.kind !== Service.kind || kind.group !== Service.group) return object;
  const service = object as NewService;
  const held = (previous as Service | undefined)?.spec;
  checkChosen(service, held, deps);
  const spec = withNodePorts(withAddress(service.spec, deps), deps);
  return spec === service.spec ? object : { ...object, spec };
}

type NewService = { readonly spec: ServiceSpec; readonly metadata: { readonly name?: string } };

const maxTries = 8;
/** Kubernetes' default. */
const nodePorts = { first: 30_000, last: 32_767 };

function withAddress(spec: ServiceSpec, { cache, rng, serviceCidr }: Allocators): ServiceSpec {
  if (spec.type === 'ExternalName' || spec.clusterIP) return spec;
  const range = serviceRange(serviceCidr);
  const taken = new Set(cache.list(Service).map((service) => service.spec.clusterIP));
  // Neither the network's own address nor the broadcast one.
  const size = range.last - range.first - 1;
  const kept = Math.min(Math.max(16, Math.floor(size / 16)), 256);
  const address = (offset: number) => ipv4.formatIpv4(range.first + 1 + offset);
  const offset = freeOffset({ size, kept, rng }, (one) => taken.has(address(one)));
  if (offset === undefined) throw full('Service addresses');
  return { ...spec, clusterIP: address(offset), clusterIPs: [address(offset)] };
}

/** Ports of one number, for TCP and UDP, share their node port: as in Kubernetes. */
function withNodePorts(spec: ServiceSpec, { cache, rng }: Allocators): ServiceSpec {
  const { type, ports = [] } = spec;
  if (type !== 'NodePort' || ports.every(({ nodePort }) => nodePort)) return spec;
  const taken = new Set([...cache.list(Service).flatMap(nodePortsOf), ...nodePortsOf({ spec })]);
  const given = new Map(ports.map(({ port, nodePort }) => [port, nodePort]));
  const next = (): number => {
    const size = nodePorts.last - nodePorts.first + 1;
    const offset = freeOffset({ size, kept: 86, rng }, (one) => taken.has(nodePorts.first + one));
    if (offset === undefined) throw full('node ports');
    taken.add(nodePorts.first + offset);
    return nodePorts.first + offset;
  };
  const withPort = (port: ServicePort): ServicePort => {
    if (port.nodePort) return port;
    const nodePort = given.get(port.port) || next();
    given.set(port.port, nodePort);
    return { ...port, nodePort };
  };
  return { ...spec, ports: ports.map(withPort) };
}

const nodePortsOf = ({ spec }: { readonly spec: ServiceSpec }): readonly number[] =>
  (spec.ports ?? []).flatMap(({ nodePort }) => nodePort || []);

/** Kubernetes keeps the lower part of each range for what people choose, such as the DNS server's address. */
function freeOffset(
  { size, kept, rng }: { readonly size: number; readonly kept: number; readonly rng: Rng },
  isTaken: (offset: number) => boolean,
): number | undefined {
  const upper = Math.max(0, size - kept);
  const start = Math.floor(rng.fraction() * upper);
  for (let step = 0; step < size; step++) {
    const offset = step < upper ? kept + ((start + step) % upper) : step - upper;
    if (!isTaken(offset)) return offset;
  }
  return undefined;
}

const full = (what: string) =>
  new StatusError('ServiceUnavailable', `the range of ${what} is full`);

/** What a Service has already it keeps, whatever the ranges are by now. */
function checkChosen(
  { metadata, spec }: NewService,
  held: ServiceSpec | undefined,
  { serviceCidr }: Allocators,
): void {
  const { clusterIP = '', ports = [] } = spec;
  const refuse = (path: string, value: unknown, [what, range]: readonly [string, string]) => {
    const why = `provided ${what} is not in the valid range. The range of valid ${what}s is ${range}`;
    throw invalid(Service, metadata.name ?? '', [field.invalid(field.fieldPath(path), value, why)]);
  };
  const range = serviceRange(serviceCidr);
  if (!['', 'None', held?.clusterIP].includes(clusterIP) && !isWithin(range, clusterIP))
    refuse('spec.clusterIPs[0]', clusterIP, ['IP', ipv4.formatIpv4Cidr(range)]);
  const heldPorts = held ? nodePortsOf({ spec: held }) : [];
  const { first, last } = nodePorts;
  for (const [i, { nodePort }] of ports.entries())
    if (nodePort && !heldPorts.includes(nodePort) && (nodePort < first || nodePort > last))
      refuse(`spec.ports[${i}].nodePort`, nodePort, ['port', `${first}-${last}`]);
}

function isWithin(range: ipv4.Ipv4Cidr, text: string): boolean {
  const address = ipv4.parseIpv4(text);
  return address !== undefined && ipv4.cidrContains(range, address);
}

function serviceRange(cidr: string): ipv4.Ipv4Cidr {
  const range = ipv4.parseIpv4Cidr(cidr);
  if (!range) throw new TypeError(`not an IPv4 range: ${cidr}`);
  return range;
}

const isTaken = (error: unknown): boolean =>
  hasReason(error, 'Invalid') && error.message.includes('already allocated');
