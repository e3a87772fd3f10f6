import { Node } from '../../api/node.ts';
import { Pod } from '../../api/pod.ts';
import { Service } from '../../api/service.ts';
import { found, StatusError } from '../../api/status.ts';
import type { Rng } from '../../base/rng.ts';
import type { PodTarget } from '../pod-access.ts';
import { slicesByService } from '../store/indexes.ts';
import { formatKey } from '../store/keys.ts';
import type { Cache } from '../store/objects.ts';
import { livePodTarget } from './pod-target.ts';
import { isPort } from './port-forward.ts';
import { badRequest } from './request-options.ts';
import { decodePart } from './resource-path.ts';

export const proxiedKinds = [Pod, Service, Node] as const;

/** A URL taken apart: what is proxied to, by the path `prefix`, and what is asked there. */
export interface ProxyAddress {
  readonly kind: (typeof proxiedKinds)[number];
  readonly namespace: string;
  /** As in the URL: "web", "web:80", "https:web:". */
  readonly name: string;
  readonly prefix: string;
  /** With its query; "" or from "/" on. */
  readonly rest: string;
}

const shape =
  /^(\/api\/v1\/(?:namespaces\/([^/?]+)\/(pods|services)|nodes)\/([^/?]+)\/proxy)((?:[/?].*)?)$/;

/** undefined: the URL is of something else. */
export function parseProxyAddress(url: string): ProxyAddress | undefined {
  const [, prefix, namespace = '', plural = 'nodes', name, rest = ''] = shape.exec(url) ?? [];
  const kind = proxiedKinds.find((one) => one.plural === plural);
  if (prefix === undefined || name === undefined || kind === undefined) return undefined;
  return { kind, namespace, name: decodePart(name), prefix, rest };
}

/** Where the connection goes. */
export interface ProxyTarget {
  readonly isTls: boolean;
  readonly pod: PodTarget;
  readonly port: number;
}

/** Throws StatusError, in Kubernetes' words. */
export function findProxyTarget(
  { kind, namespace, name: id }: ProxyAddress,
  { cache, rng }: { readonly cache: Cache; readonly rng: Rng },
): ProxyTarget {
  const parts = id.split(':');
  const [scheme = '', name = '', port = ''] = parts.length < 3 ? ['', ...parts] : parts;
  if (parts.length > 3 || name === '' || !['', 'http', 'https'].includes(scheme))
    throw badRequest(`invalid ${kind.singular} request "${id}"`);
  const place = { cache, key: { namespace, name }, port };
  const found = kind === Pod ? portOfPod(place) : endpointOf({ ...place, rng });
  return { isTls: scheme === 'https', ...found };
}

interface Place {
  readonly cache: Cache;
  readonly key: { readonly namespace: string; readonly name: string };
  /** A number, a name or "". */
  readonly port: string;
}

/** Without a port: the first that the pod declares. */
function portOfPod({ cache, key, port }: Place): Omit<ProxyTarget, 'isTls'> {
  const { spec } = found(Pod, key.name, cache.get(Pod, key));
  const declared = spec.containers.flatMap(({ ports = [] }) => ports);
  const meant = port === '' ? declared[0] : declared.find(({ name }) => name === port);
  const number = meant?.containerPort ?? Number(port || 80);
  if (!isPort(number)) throw badRequest(`pod "${key.name}" has no port "${port}"`);
  return { pod: livePodTarget(cache, key), port: number };
}

/** One of the ready ones, by chance. */
function endpointOf({ cache, key, port, rng }: Place & { readonly rng: Rng }) {
  const { name, namespace } = key;
  const { ports = [] } = found(Service, name, cache.get(Service, key)).spec;
  const isMeant = (one: (typeof ports)[number]) =>
    port === '' ? ports.length === 1 || !one.name : [one.name, String(one.port)].includes(port);
  const meant = ports.find(isMeant);
  if (!meant) throw unavailable(`no service port ${port} found for service "${name}"`);
  const ready = cache
    .byIndex(slicesByService, formatKey(key))
    .flatMap(({ endpoints, ports: numbers = [] }) =>
      endpoints.flatMap(({ conditions, targetRef }) => {
        const number = numbers.find((one) => one.name === (meant.name ?? ''))?.port;
        if (conditions.ready === false || targetRef?.kind !== 'Pod' || !number) return [];
        return [{ pod: targetRef.name ?? '', port: number }];
      }),
    );
  const chosen = ready[Math.floor(rng.fraction() * ready.length)];
  if (!chosen) throw unavailable(`no endpoints available for service "${name}"`);
  return { pod: livePodTarget(cache, { namespace, name: chosen.pod }), port: chosen.port };
}

const unavailable = (message: string) => new StatusError('ServiceUnavailable', message);
