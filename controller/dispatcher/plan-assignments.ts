import { ConfigMap } from '../../api/config-map.ts';
import type { Pod } from '../../api/pod.ts';
import { Secret } from '../../api/secret.ts';
import { runtimeHandlerOf } from '../runtime-class.ts';
import type { CacheReads } from '../store/cache.ts';
import { podsByNode } from '../store/indexes.ts';

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
  const containers = [...(spec.initContainers ?? []), ...spec.containers];
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
