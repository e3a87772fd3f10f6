import { Pod } from '../../api/pod.ts';
import { everyContainer, isPodFinished } from '../../api/pod-facts.ts';
import { found } from '../../api/status.ts';
import type { PodTarget } from '../pod-access.ts';
import type { Cache, ObjectKey } from '../store/objects.ts';
import { badRequest } from './request-options.ts';

/** The container that a log, exec or attach means, on the node that has it; or why that can't be. */
export function containerTarget(cache: Cache, key: ObjectKey, wanted: string) {
  const pod = found(Pod, key.name, cache.get(Pod, key));
  return { container: containerOf(pod, wanted), pod: targetOf(pod) };
}

/** The same of a pod whose containers aren't over: to be reached into. */
export function livePodTarget(cache: Cache, key: ObjectKey): PodTarget {
  const pod = found(Pod, key.name, cache.get(Pod, key));
  if (isPodFinished(pod))
    throw badRequest(`pod ${key.name} is completed; its phase is ${pod.status.phase}`);
  return targetOf(pod);
}

function targetOf({ metadata, spec: { nodeName } }: Pod): PodTarget {
  const { namespace = '', name, uid } = metadata;
  if (!nodeName) throw badRequest(`pod ${name} does not have a host assigned`);
  return { namespace, name, uid, nodeName };
}

function containerOf({ metadata, spec }: Pod, wanted: string): string {
  const { containers } = spec;
  const names = everyContainer(spec).map(({ name }) => name);
  const name = wanted === '' && containers.length === 1 ? names[0] : wanted;
  if (name !== undefined && names.includes(name)) return name;
  const problem =
    wanted === ''
      ? `a container name must be specified for pod ${metadata.name}`
      : `container ${wanted} is not valid for pod ${metadata.name}`;
  throw badRequest(`${problem}, choose one of: [${names.join(' ')}]`);
}
