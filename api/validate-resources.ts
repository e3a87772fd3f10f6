import type { ResourceRequirements } from './container.ts';
import type { Rule } from './field-error.ts';
import * as field from './field-error.ts';
import { own } from './normalize.ts';
import { compareQuantities, quantityOf } from './quantity.ts';

/** cpu and memory; requests at most as large as limits. */
export const validateResources: Rule<ResourceRequirements> = (resources, at) => {
  const { limits = {}, requests = {} } = resources;
  return [
    ...validateQuantities(limits, at('limits')),
    ...validateRoom(limits, at('limits')),
    ...validateQuantities(ownRequests({ limits, requests }), at('requests')),
    ...validateRequestsWithinLimits({ limits, requests }, at('requests')),
  ];
};

type Quantities = Readonly<Record<string, string>>;
type Both = { readonly limits: Quantities; readonly requests: Quantities };

/** A request that is only the limit again has been reported there. */
function ownRequests({ limits, requests }: Both): Quantities {
  return Object.fromEntries(
    Object.entries(requests).filter(([resource, quantity]) => limits[resource] !== quantity),
  );
}

const validateQuantities: Rule<Quantities> = (quantities, at) =>
  Object.entries(quantities).flatMap(([resource, quantity]) => {
    if (resource !== 'cpu' && resource !== 'memory') return [field.unsupported(at(resource))];
    if (quantityOf(quantity).nano < 0n)
      return [field.invalid(at(resource), quantity, 'must be greater than or equal to 0')];
    return resource === 'memory' ? validateBytes(quantity, at(resource)) : [];
  });

/** "512m" of memory is half a byte, and never what was meant. */
const validateBytes: Rule<string> = (quantity, at) => {
  const { nano } = quantityOf(quantity);
  if (nano % 1_000_000_000n === 0n) return [];
  const bytes = Number(nano) / 1e9;
  const meant = /^(\d+)m$/.exec(quantity)?.[1];
  const advice =
    meant === undefined ? 'must be a whole number of bytes' : `did you mean "${meant}Mi"?`;
  return [field.invalid(at, quantity, `is ${bytes} bytes; ${advice}`)];
};

/** "512" of memory is what no process fits into. */
const validateRoom: Rule<Quantities> = ({ memory }, at) => {
  const nano = memory === undefined ? 0n : quantityOf(memory).nano;
  if (memory === undefined || nano < 1_000_000_000n || nano >= 65_536_000_000_000n) return [];
  const why = `is ${nano / 1_000_000_000n} bytes: nothing runs in that; Mi is a megabyte`;
  return [field.invalid(at('memory'), memory, why)];
};

const validateRequestsWithinLimits: Rule<Both> = ({ limits, requests }, at) =>
  Object.entries(requests).flatMap(([resource, request]) => {
    const limit = own(limits, resource);
    if (limit === undefined || compareQuantities(request, limit) <= 0) return [];
    const why = `must be less than or equal to ${resource} limit of ${limit}`;
    return [field.invalid(at, request, why)];
  });
