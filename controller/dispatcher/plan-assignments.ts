import { createHash } from 'node:crypto';
import { ConfigMap } from '../../api/config-map.ts';
import type { AssignPod, ControllerMessage, Generation } from '../../api/generated/agent.ts';
import { Node } from '../../api/node.ts';
import type { Pod } from '../../api/pod.ts';
import { everyContainer } from '../../api/pod-facts.ts';
import { Secret } from '../../api/secret.ts';
import { runtimeHandlerOf } from '../runtime-class.ts';
import { podsByNode } from '../store/indexes.ts';
import type { Cache, CacheReads } from '../store/objects.ts';

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
  const digest = digests.getOrInsertComputed(pod, () => digestOf(JSON.stringify(podForNode(pod))));
  const named = [...configMaps, ...secrets];
  const versions = named.map(({ metadata: m }) => `${m.uid}@${m.resourceVersion}`);
  return [digest, runtimeHandler, ...versions].join();
}

const digestOf = (text: string) => createHash('sha256').update(text).digest('base64');

/** All that a node gets to know of one pod. */
export interface Assignment {
  readonly uid: string;
  /** As it is in the store; a node gets {@link podForNode} of it. */
  readonly pod: Pod;
  readonly configMaps: readonly ConfigMap[];
  readonly secrets: readonly Secret[];
  /** Of its RuntimeClass; "": it names none, or one that isn't there. */
  readonly runtimeHandler: string;
  /** "ConfigMap/namespace/name": what the pod names, whether it exists or not. */
  readonly named: readonly string[];
}

/** What a node is to run, by uid, with what each pod names and nothing else. Pure: a function of the snapshot. */
export function planAssignments(nodeName: string, snapshot: CacheReads) {
  const pods = snapshot.byIndex(podsByNode, nodeName);
  return new Map(pods.map((pod) => [pod.metadata.uid, assignmentOf(pod, snapshot)]));
}

function assignmentOf(pod: Pod, snapshot: CacheReads): Assignment {
  const { namespace = '', uid } = pod.metadata;
  const { configMaps, secrets } = namedObjects(pod);
  const { runtimeClassName: name = '' } = pod.spec;
  return {
    uid,
    pod,
    runtimeHandler: runtimeHandlerOf(pod, snapshot),
    named: [
      ...(name === '' ? [] : [`RuntimeClass//${name}`]),
      ...[...configMaps].map((name) => `ConfigMap/${namespace}/${name}`),
      ...[...secrets].map((name) => `Secret/${namespace}/${name}`),
    ],
    configMaps: [...configMaps].flatMap(
      (name) => snapshot.get(ConfigMap, { namespace, name }) ?? [],
    ),
    secrets: [...secrets].flatMap((name) => snapshot.get(Secret, { namespace, name }) ?? []),
  };
}

/** What a pod names of its namespace: all that its node may see of it. */
export function namedObjects({ spec }: Pod) {
  const containers = everyContainer(spec);
  const env = containers.flatMap((container) => container.env ?? []);
  const envFrom = containers.flatMap((container) => container.envFrom ?? []);
  const volumes = spec.volumes ?? [];
  return {
    configMaps: present([
      ...env.map(({ valueFrom }) => valueFrom?.configMapKeyRef?.name),
      ...envFrom.map(({ configMapRef }) => configMapRef?.name),
      ...volumes.map(({ configMap }) => configMap?.name),
    ]),
    secrets: present([
      ...env.map(({ valueFrom }) => valueFrom?.secretKeyRef?.name),
      ...envFrom.map(({ secretRef }) => secretRef?.name),
      ...volumes.map(({ secret }) => secret?.secretName),
      ...(spec.imagePullSecrets ?? []).map(({ name }) => name),
    ]),
  };
}

const present = (names: readonly (string | undefined)[]): ReadonlySet<string> =>
  new Set(names.filter((name) => name !== undefined));

/**
 * Without what changes with every status: else each report of a node would come back to it as a new assignment. Only
 * an end stays said, so that a node that has lost its disk doesn't run a finished pod again.
 */
export function podForNode(pod: Pod): Pod {
  const { managedFields: _, ...metadata } = pod.metadata;
  const { phase } = pod.status;
  return {
    ...pod,
    metadata: { ...metadata, resourceVersion: '' },
    status: { phase: phase === 'Succeeded' || phase === 'Failed' ? phase : 'Pending' },
  };
}
