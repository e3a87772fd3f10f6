import type { AnyObject } from '../../api/kind.ts';
import type { Draft } from '../../api/prepare.ts';
import type { Fields } from '../../api/schema.ts';
import { Service, type ServiceSpec } from '../../api/service.ts';
import { invalid, StatusError } from '../../api/status.ts';
import {
  cidrContains,
  formatIpv4,
  formatIpv4Cidr,
  type Ipv4Cidr,
  parseIpv4,
  parseIpv4Cidr,
} from '../../base/ipv4.ts';
import type { Rng } from '../../base/rng.ts';
import type { Cache } from '../store/cache.ts';
import type { ApiServerDeps } from './call.ts';

/**
 * Gives a new Service its address: a random free one, as far as the cache knows. The claim on it, in the same
 * transaction as the Service, makes it safe; when another Service was faster, another address is tried.
 */
export async function createService(draft: Draft<Fields>, deps: ApiServerDeps): Promise<AnyObject> {
  const service = draft as NewService;
  const range = serviceRange(deps.serviceCidr);
  if (!needsAddress(service.spec)) {
    checkChosen(service, range);
    return deps.objects.create(Service, service);
  }
  for (let tries = 1; ; tries++) {
    const clusterIP = freeAddress(deps.cache, range, deps.rng);
    const spec = { ...service.spec, clusterIP, clusterIPs: [clusterIP] };
    try {
      return await deps.objects.create(Service, { ...service, spec });
    } catch (error) {
      if (!isTaken(error) || tries === maxTries) throw error;
    }
  }
}

type NewService = Omit<Service, 'metadata'> & Pick<Draft<Fields>, 'metadata'>;

const maxTries = 8;

function needsAddress({ type, clusterIP = '' }: ServiceSpec): boolean {
  return type !== 'ExternalName' && clusterIP === '';
}

function serviceRange(cidr: string): Ipv4Cidr {
  const range = parseIpv4Cidr(cidr);
  if (!range) throw new TypeError(`not an IPv4 range: ${cidr}`);
  return range;
}

/** Kubernetes keeps the lower part of the range for addresses that people choose, such as the DNS server's. */
function freeAddress(cache: Cache, range: Ipv4Cidr, rng: Rng): string {
  const taken = new Set(cache.list(Service).map(({ spec }) => spec.clusterIP));
  const size = range.last - range.first - 1;
  const kept = Math.min(Math.max(16, Math.floor(size / 16)), 256);
  const start = Math.floor(rng.fraction() * Math.max(1, size - kept));
  for (let step = 0; step < size; step++) {
    const offset = size > kept ? kept + ((start + step) % (size - kept)) : (start + step) % size;
    const address = formatIpv4(range.first + 1 + offset);
    if (!taken.has(address)) return address;
  }
  throw new StatusError('ServiceUnavailable', 'the range of Service addresses is full');
}

function checkChosen(service: NewService, range: Ipv4Cidr): void {
  const { clusterIP = '' } = service.spec;
  if (clusterIP === '' || clusterIP === 'None') return;
  const address = parseIpv4(clusterIP);
  if (address !== undefined && cidrContains(range, address)) return;
  throw invalid(Service, service.metadata.name ?? '', [
    {
      path: 'spec.clusterIPs[0]',
      reason: 'FieldValueInvalid',
      message: `Invalid value: "${clusterIP}": provided IP is not in the valid range. The range of valid IPs is ${formatIpv4Cidr(range)}`,
    },
  ]);
}

const isTaken = (error: unknown): boolean =>
  error instanceof StatusError &&
  error.reason === 'Invalid' &&
  error.message.includes('already allocated');
