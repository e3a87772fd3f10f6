import { createHash } from 'node:crypto';
import type { Deployment } from '../../api/deployment.ts';
import type { PodTemplate } from '../../api/pod-spec.ts';
import { ReplicaSet } from '../../api/replica-set.ts';
import { canonicalJson, isSame } from '../../api/same.ts';
import { nameAlphabet } from '../../base/rng.ts';
import { controllerReference } from './ownership.ts';

/** A Deployment's ReplicaSets: the one of its present template, and those of earlier ones, oldest first. */
export type DeploymentSets = Readonly<{ next: ReplicaSet | undefined; old: readonly ReplicaSet[] }>;

export const revisionAnnotation = 'deployment.kubernetes.io/revision';
const hashLabel = 'pod-template-hash';

export function sortSets(deployment: Deployment, sets: readonly ReplicaSet[]): DeploymentSets {
  const byAge = sets.toSorted(
    (a, b) =>
      Date.parse(a.metadata.creationTimestamp) - Date.parse(b.metadata.creationTimestamp) ||
      revisionOf(a) - revisionOf(b),
  );
  const next = byAge.find((set) =>
    isSame(withoutHash(set.spec.template), withoutHash(deployment.spec.template)),
  );
  return { next, old: byAge.filter((set) => set !== next) };
}

export const revisionOf = ({ metadata }: ReplicaSet | Deployment): number =>
  Number(metadata.annotations?.[revisionAnnotation] ?? 0);

/** The revision that the ReplicaSet of the present template has to have: it is the latest, also after an undo. */
export function latestRevision({ next, old }: DeploymentSets): number {
  const before = Math.max(0, ...old.map(revisionOf));
  return next && revisionOf(next) > before ? revisionOf(next) : before + 1;
}

export function newSet(deployment: Deployment, replicas: number, revision: number) {
  const { spec, metadata } = deployment;
  const hash = templateHash(spec.template);
  const labels = { ...spec.template.metadata.labels, [hashLabel]: hash };
  return {
    apiVersion: 'apps/v1',
    kind: ReplicaSet.kind,
    metadata: {
      name: `${metadata.name}-${hash}`,
      namespace: metadata.namespace,
      labels,
      annotations: setAnnotations(deployment, revision),
      ownerReferences: [controllerReference(deployment)],
    },
    spec: {
      replicas,
      ...minReady(deployment),
      selector: {
        ...spec.selector,
        matchLabels: { ...spec.selector.matchLabels, [hashLabel]: hash },
      },
      template: { ...spec.template, metadata: { ...spec.template.metadata, labels } },
    },
    status: { replicas: 0 },
  };
}

export const scaled = (set: ReplicaSet, replicas: number): ReplicaSet => ({
  ...set,
  spec: { ...set.spec, replicas },
});

/** The ReplicaSet of the present template, with what follows the Deployment unless that is paused. */
export function updatedSet(
  deployment: Deployment,
  set: ReplicaSet,
  wanted: { readonly replicas: number | undefined; readonly revision: number },
): ReplicaSet {
  const { minReadySeconds: _, replicas: present, ...spec } = set.spec;
  const { replicas = present, revision } = wanted;
  if (deployment.spec.paused) return scaled(set, replicas);
  const annotations = { ...set.metadata.annotations, ...setAnnotations(deployment, revision) };
  return {
    ...set,
    metadata: { ...set.metadata, annotations },
    spec: { ...spec, ...minReady(deployment), replicas },
  };
}

const minReady = ({ spec: { minReadySeconds } }: Deployment) =>
  minReadySeconds === undefined ? {} : { minReadySeconds };

/** What is about the Deployment alone; the change's cause is for the history. */
const ownAnnotations = new Set([
  'kubectl.kubernetes.io/last-applied-configuration',
  revisionAnnotation,
]);

function setAnnotations(deployment: Deployment, revision: number): Record<string, string> {
  const present = Object.entries(deployment.metadata.annotations ?? {});
  const copied = present.filter(([name]) => !ownAnnotations.has(name));
  return { ...Object.fromEntries(copied), [revisionAnnotation]: String(revision) };
}

/** kubectl's undo takes a ReplicaSet's template back without this label. */
function withoutHash(template: PodTemplate): PodTemplate {
  const { [hashLabel]: _, ...labels } = template.metadata.labels ?? {};
  return { ...template, metadata: { ...template.metadata, labels } };
}

function templateHash(template: PodTemplate): string {
  const text = canonicalJson(withoutHash(template));
  const digest = createHash('sha256').update(text).digest();
  const letter = (byte: number) => nameAlphabet[byte % nameAlphabet.length];
  return Array.from(digest.subarray(0, 10), letter).join('');
}
