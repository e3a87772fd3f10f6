import { createHash } from 'node:crypto';
import type { AssignPod, ControllerMessage, Generation } from '../../api/generated/agent.ts';
import { Node } from '../../api/node.ts';
import type { Pod } from '../../api/pod.ts';
import type { Cache } from '../store/cache.ts';
import { type Assignment, planAssignments, podForNode } from './plan-assignments.ts';

type Said =
  | Extract<NonNullable<ControllerMessage['message']>, { $case: 'assign' | 'remove' }>
  | { readonly $case: 'refuse'; readonly value: Pod };

/** Tells what one agent has been sent from what it should have. */
export function assignmentMessages(nodeName: string, cache: Cache) {
  const digests = new WeakMap<object, string>();
  /** By uid: version of what was sent. */
  let sent: ReadonlyMap<string, string> = new Map();
  let named: ReadonlySet<string> = new Set();
  return {
    /** What makes it right; after that it counts as sent. */
    next(generation: Generation): readonly Said[] {
      const plan = planAssignments(nodeName, cache);
      const versions = new Map([...plan].map(([uid, a]) => [uid, versionOf(a, digests)]));
      const gone = [...sent.keys()].filter((uid) => !plan.has(uid));
      const changed = [...plan.values()].filter(({ uid }) => sent.get(uid) !== versions.get(uid));
      sent = versions;
      named = new Set([...plan.values()].flatMap(({ named }) => named));
      // An agent that is older than RuntimeClasses would run a pod as if it named none.
      const node = cache.get(Node, { namespace: '', name: nodeName });
      const isOld = !node?.status.runtimeHandlers?.length;
      // Removals first: they free what the new pods may need.
      return [
        ...gone.map((uid): Said => ({ $case: 'remove', value: { uid, generation } })),
        ...changed.map(
          (assignment): Said =>
            isOld && assignment.pod.spec.runtimeClassName !== undefined
              ? { $case: 'refuse', value: assignment.pod }
              : { $case: 'assign', value: assignPod(assignment, generation) },
        ),
      ];
    },
    /** Has it been sent this object with one of its pods? "ConfigMap/namespace/name", also of what doesn't exist yet. */
    names: (object: string) => named.has(object),
  };
}

const assignPod = (assignment: Assignment, generation: Generation): AssignPod => ({
  generation,
  uid: assignment.uid,
  podJson: JSON.stringify(podForNode(assignment.pod)),
  configMapJson: assignment.configMaps.map((object) => JSON.stringify(object)),
  secretJson: assignment.secrets.map((object) => JSON.stringify(object)),
  runtimeHandler: assignment.runtimeHandler,
});

/** Digests are kept by object: those in the cache never change. */
function versionOf(assignment: Assignment, digests: WeakMap<object, string>): string {
  const { pod, configMaps, secrets, runtimeHandler } = assignment;
  const digest = digests.get(pod) ?? digestOf(JSON.stringify(podForNode(pod)));
  digests.set(pod, digest);
  const named = [...configMaps, ...secrets];
  return [
    digest,
    runtimeHandler,
    ...named.map(({ metadata: m }) => `${m.uid}@${m.resourceVersion}`),
  ].join();
}

const digestOf = (text: string) => createHash('sha256').update(text).digest('base64');
