import type { PodEvent } from '../../api/generated/agent.ts';
import { Node } from '../../api/node.ts';
import type { ObjectReference } from '../../api/object-reference.ts';
import { Pod } from '../../api/pod.ts';
import type { Cache } from '../store/cache.ts';
import type { Happening } from '../store/event-recorder.ts';

/** What a node says happened; undefined: to a pod that isn't its own. */
export function happeningOf(
  nodeName: string,
  event: PodEvent,
  cache: Pick<Cache, 'get'>,
): Happening | undefined {
  const involved =
    event.podUid === '' ? nodeReference(nodeName, cache) : podReference(nodeName, event, cache);
  if (!involved) return undefined;
  const { reason, message } = event;
  const type = event.type === 'Warning' ? 'Warning' : 'Normal';
  return { involved, type, reason, message, component: 'orc-agent' };
}

function nodeReference(name: string, cache: Pick<Cache, 'get'>): ObjectReference | undefined {
  const uid = cache.get(Node, { namespace: '', name })?.metadata.uid;
  return { apiVersion: 'v1', kind: 'Node', name, uid };
}

function podReference(
  nodeName: string,
  { podUid: uid, namespace, name, fieldPath }: PodEvent,
  cache: Pick<Cache, 'get'>,
): ObjectReference | undefined {
  const pod = cache.get(Pod, { namespace, name });
  if (pod?.metadata.uid !== uid || pod.spec.nodeName !== nodeName) return undefined;
  const reference: ObjectReference = { apiVersion: 'v1', kind: 'Pod', namespace, name, uid };
  return fieldPath === '' ? reference : { ...reference, fieldPath };
}
