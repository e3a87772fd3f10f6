import { Pod } from '../../api/pod.ts';
import { notFound } from '../../api/status.ts';
import type { PodTarget } from '../pod-access.ts';
import type { Cache } from '../store/cache.ts';
import type { ObjectKey } from '../store/objects.ts';
import { badRequest } from './request-options.ts';

export interface ContainerTarget {
  readonly pod: PodTarget;
  readonly container: string;
}

/** The container that a log or exec request means, on the node that runs it; or why that can't be. */
export function containerTarget(cache: Cache, key: ObjectKey, wanted: string): ContainerTarget {
  const pod = cache.get(Pod, key);
  if (!pod) throw notFound(Pod, key.name);
  const container = containerOf(pod, wanted);
  const { nodeName = '' } = pod.spec;
  if (nodeName === '') throw badRequest(`pod ${key.name} does not have a host assigned`);
  return { pod: { ...key, uid: pod.metadata.uid, nodeName }, container };
}

function containerOf({ metadata, spec }: Pod, wanted: string): string {
  const names = spec.containers.map(({ name }) => name);
  const initNames = (spec.initContainers ?? []).map(({ name }) => name);
  const [only = ''] = names;
  if (wanted === '' && names.length === 1) return only;
  if (wanted === '')
    throw badRequest(
      `a container name must be specified for pod ${metadata.name}, choose one of: [${[...names, ...initNames].join(' ')}]`,
    );
  if (![...names, ...initNames].includes(wanted))
    throw badRequest(`container ${wanted} is not valid for pod ${metadata.name}`);
  return wanted;
}
