import { Node } from '../../api/node.ts';
import { Pod } from '../../api/pod.ts';
import { podsByNode } from '../store/indexes.ts';
import { formatKey, keyOf, parseKey } from '../store/keys.ts';
import type { Loop, LoopDeps } from '../store/loop.ts';
import type { Cache, ObjectChange } from '../store/objects.ts';
import { onlyThis } from '../store/preconditions.ts';

/** A pod may name a node that is just about to join. */
const joiningTimeMs = 10_000;

/** Removes pods that are bound to a node that doesn't exist: nobody will ever end them. */
export const podGarbageLoop: Loop = { name: 'pod-garbage-collector', workers: 2, wakes, reconcile };

function wakes({ kind, key, object }: ObjectChange, cache: Cache): readonly string[] {
  if (kind === Node && !object)
    return cache.byIndex(podsByNode, key.name).map((pod) => formatKey(keyOf(pod)));
  const isStray = kind === Pod && object && !hasNode(object as Pod, cache);
  return isStray ? [formatKey(key)] : [];
}

const hasNode = ({ spec: { nodeName } }: Pod, cache: Cache) =>
  !nodeName || cache.get(Node, { namespace: '', name: nodeName }) !== undefined;

async function reconcile(key: string, { cache, objects, clock }: LoopDeps) {
  const pod = cache.get(Pod, parseKey(key));
  if (!pod || hasNode(pod, cache)) return;
  const waitMs = Date.parse(pod.metadata.creationTimestamp) + joiningTimeMs - clock.now();
  if (waitMs > 0) return waitMs;
  await objects.delete(Pod, keyOf(pod), { gracePeriodSeconds: 0, ...onlyThis(pod) });
}
