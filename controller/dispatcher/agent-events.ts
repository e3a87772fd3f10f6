import type { PodEvent } from '../../api/generated/agent.ts';
import { Node } from '../../api/node.ts';
import type { ObjectReference } from '../../api/object-reference.ts';
import { Pod } from '../../api/pod.ts';
import type { CacheReads } from '../store/objects.ts';

/** What a node says happened; undefined: to a pod that isn't its own. */
export function happeningOf(nodeName: string, event: PodEvent, cache: CacheReads) {
  const { podUid, reason, message } = event;
  const involved =
    podUid === '' ? nodeReference(nodeName, cache) : podReference(nodeName, event, cache);
  const type = event.type === 'Warning' ? 'Warning' : 'Normal';
  return involved && ({ involved, type, reason, message, component: 'orc-agent' } as const);
}

function nodeReference(name: string, cache: CacheReads): ObjectReference {
  const uid = cache.get(Node, { namespace: '', name })?.metadata.uid;
  return { apiVersion: 'v1', kind: 'Node', name, uid };
}

function podReference(nodeName: string, event: PodEvent, cache: CacheReads) {
  const { podUid: uid, namespace, name, fieldPath } = event;
  const pod = cache.get(Pod, { namespace, name });
  if (pod?.metadata.uid !== uid || pod.spec.nodeName !== nodeName) return undefined;
  const reference: ObjectReference = { apiVersion: 'v1', kind: 'Pod', namespace, name, uid };
  return fieldPath === '' ? reference : { ...reference, fieldPath };
}
