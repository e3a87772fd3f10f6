import type { Deployment } from '../../api/deployment.ts';
import { formatSince } from '../../api/format-age.ts';
import { Pod } from '../../api/pod.ts';
import type { ReplicaSet } from '../../api/replica-set.ts';
import { formatLabelSelector } from '../../api/selector.ts';
import { conditionSection } from './describe-any.ts';
import type { Description, Fact } from './sections.ts';

/** `sets`: those that it controls. Pure. */
export const describeDeployment = (
  deployment: Deployment,
  { sets, pods }: { readonly sets: readonly ReplicaSet[]; readonly pods: readonly Pod[] },
  now: number,
): Description => ({
  facts: deploymentFacts(deployment),
  sections: [
    { title: 'REVISIONS', ...revisionTable(sets, now) },
    { title: `PODS (${pods.length})`, ...podTable(pods, now) },
    conditionSection(deployment.status.conditions, now),
  ],
});

function deploymentFacts({ spec, status }: Deployment): readonly Fact[] {
  const { replicas, strategy, template } = spec;
  const { updatedReplicas = 0, readyReplicas = 0, availableReplicas = 0 } = status;
  const { maxSurge, maxUnavailable } = strategy.rollingUpdate ?? {};
  const steps =
    maxSurge === undefined ? '' : `: ${maxSurge} more at a time, ${maxUnavailable} missing at most`;
  const pods = `${replicas} wanted · ${updatedReplicas} up to date · ${readyReplicas} ready · ${availableReplicas} available`;
  return [
    ['pods', pods],
    ['paused', spec.paused ? 'yes: changes of the template wait' : undefined],
    ['selects', formatLabelSelector(spec.selector)],
    ['strategy', `${strategy.type}${steps}`],
    ['images', template.spec.containers.map(({ name, image }) => `${name} ${image}`).join('\n')],
  ];
}

const revisionTable = (sets: readonly ReplicaSet[], now: number) => ({
  headers: ['REVISION', 'REPLICASET', 'READY', 'AGE', 'IMAGES'],
  rows: sets
    .map(({ metadata, spec, status }) => [
      metadata.annotations?.['deployment.kubernetes.io/revision'],
      metadata.name,
      `${status.readyReplicas ?? 0}/${spec.replicas}`,
      formatSince(metadata.creationTimestamp, now),
      spec.template.spec.containers.map(({ image }) => image).join(','),
    ])
    .toSorted(([a], [b]) => Number(b) - Number(a)),
});

const podTable = (pods: readonly Pod[], now: number) => ({
  headers: ['NAME', 'READY', 'STATUS', 'RESTARTS', 'NODE', 'IP', 'AGE'],
  rows: pods.map((pod) => {
    const cell = (name: string) =>
      String(Pod.columns.find((column) => column.name === name)?.of(pod, now) ?? '');
    const cells = ['Ready', 'Status', 'Restarts', 'Node', 'IP'].map(cell);
    return [pod.metadata.name, ...cells, formatSince(pod.metadata.creationTimestamp, now)];
  }),
});
