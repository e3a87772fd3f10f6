import { describe, expect, it } from 'vitest';
import { Deployment } from '../../../../api/deployment.ts';
import { ReplicaSet } from '../../../../api/replica-set.ts';
import { planDeployment } from '../../../../controller/controllers/deployment-plan.ts';
import { anObject } from '../../../support/an-object.ts';

const start = Date.parse('2026-01-01T00:00:00Z');
const template = (image: string) => ({
  metadata: { labels: { app: 'web' } },
  spec: { containers: [{ name: 'web', image }] },
});
const web = (spec: object = {}, stored: object = {}) =>
  anObject(
    Deployment,
    {
      metadata: { name: 'web' },
      spec: {
        replicas: 3,
        selector: { matchLabels: { app: 'web' } },
        template: template('web:2'),
        ...spec,
      },
    },
    { generation: 2, ...stored },
  );
interface SetOptions {
  readonly image: string;
  readonly revision: number;
  readonly replicas?: number;
  readonly available?: number;
  readonly pods?: number;
}
const set = ({ image, revision, replicas = 0, ...counts }: SetOptions): ReplicaSet => {
  const labels = { app: 'web', 'pod-template-hash': `hash${revision}` };
  const object = anObject(ReplicaSet, {
    metadata: {
      name: `web-${revision}`,
      labels,
      annotations: { 'deployment.kubernetes.io/revision': String(revision) },
    },
    spec: {
      replicas,
      selector: { matchLabels: labels },
      template: { ...template(image), metadata: { labels } },
    },
  });
  const { pods = replicas, available = pods } = counts;
  const status = { replicas: pods, readyReplicas: available, availableReplicas: available };
  return { ...object, status };
};
interface Situation {
  readonly deployment?: Deployment;
  readonly sets: readonly ReplicaSet[];
  readonly running?: number;
  readonly now?: number;
}
const plan = ({ deployment = web(), sets, running = 0, now = start }: Situation) =>
  planDeployment({ deployment, sets, runningPods: () => running, now });
/** "name replicas" of what is updated. */
const scales = (situation: Situation) =>
  plan(situation).update.map(({ metadata, spec }) => `${metadata.name} ${spec.replicas}`);
const condition = (situation: Situation, type: string) => {
  const found = plan(situation).status.conditions?.find((c) => c.type === type);
  return found && `${found.status} ${found.reason}`;
};

describe('the plan of a Deployment', () => {
  it('starts with a ReplicaSet of all its pods, named for the template', () => {
    const { create, revision, update } = plan({ sets: [] });
    expect(create).toMatchObject({
      metadata: {
        name: expect.stringMatching(/^web-[a-z0-9]{10}$/),
        annotations: { 'deployment.kubernetes.io/revision': '1' },
        ownerReferences: [{ kind: 'Deployment', name: 'web', controller: true }],
      },
      spec: { replicas: 3, selector: { matchLabels: { app: 'web' } } },
    });
    const hash = create?.metadata.labels?.['pod-template-hash'];
    expect(create?.spec.selector.matchLabels).toEqual({ app: 'web', 'pod-template-hash': hash });
    expect(create?.spec.template.metadata.labels).toEqual(create?.spec.selector.matchLabels);
    expect([revision, update]).toEqual([1, []]);
  });

  it('gives the same template the same name, whatever the order of its fields', () => {
    const { metadata, spec } = template('web:2');
    const turned = web({ template: { spec: { ...spec }, metadata } });
    expect(plan({ deployment: turned, sets: [] }).create?.metadata.name).toBe(
      plan({ sets: [] }).create?.metadata.name,
    );
  });

  it('makes a second ReplicaSet with what the surge allows when the template changes', () => {
    const { create, revision, update } = plan({
      sets: [set({ image: 'web:1', revision: 1, replicas: 3 })],
    });
    expect([create?.spec.replicas, revision, update]).toEqual([1, 2, []]);
  });

  it('takes back the ReplicaSet of an earlier template and gives it the newest revision', () => {
    const { create, update, revision } = plan({
      sets: [
        set({ image: 'web:2', revision: 1 }),
        set({ image: 'web:1', revision: 2, replicas: 3 }),
      ],
    });
    expect(create).toBeUndefined();
    expect(revision).toBe(3);
    expect(update).toMatchObject([
      {
        metadata: {
          name: 'web-1',
          annotations: { 'deployment.kubernetes.io/revision': '3' },
        },
        spec: { replicas: 1 },
      },
    ]);
  });

  it('changes nothing when all is done', () => {
    const situation = { sets: [set({ image: 'web:2', revision: 1, replicas: 3 })] };
    expect(plan(situation)).toMatchObject({ create: undefined, update: [], remove: [] });
    expect(condition(situation, 'Progressing')).toBe('True NewReplicaSetAvailable');
    expect(condition(situation, 'Available')).toBe('True MinimumReplicasAvailable');
  });

  it('follows a change of minReadySeconds without a new revision', () => {
    const deployment = web({ minReadySeconds: 5 });
    const { create, update } = plan({
      deployment,
      sets: [set({ image: 'web:2', revision: 1, replicas: 3 })],
    });
    expect(create).toBeUndefined();
    expect(update).toMatchObject([{ spec: { minReadySeconds: 5 } }]);
  });

  it('forgets the oldest ReplicaSets beyond the history limit, once the rollout is complete', () => {
    const old = [3, 1, 2].map((revision) => set({ image: `old:${revision}`, revision }));
    const deployment = web({ revisionHistoryLimit: 1 });
    const next = set({ image: 'web:2', revision: 4, replicas: 3 });
    const names = (sets: readonly ReplicaSet[]) =>
      plan({ deployment, sets }).remove.map(({ metadata }) => metadata.name);
    expect(names([...old, next])).toEqual(['web-1', 'web-2']);
    expect(
      names([...old, set({ image: 'web:2', revision: 4, replicas: 3, available: 2 })]),
    ).toEqual([]);
  });
});

describe('a paused Deployment', () => {
  const deployment = web({ paused: true, replicas: 5 });

  it('starts no rollout', () => {
    const { create, revision } = plan({
      deployment: web({ paused: true }),
      sets: [set({ image: 'web:1', revision: 1, replicas: 3 })],
    });
    expect([create, revision]).toEqual([undefined, undefined]);
  });

  it('scales what it has', () => {
    expect(
      scales({ deployment, sets: [set({ image: 'web:1', revision: 1, replicas: 3 })] }),
    ).toEqual(['web-1 5']);
    expect(
      scales({
        deployment,
        sets: [
          set({ image: 'web:1', revision: 1, replicas: 2 }),
          set({ image: 'web:2', revision: 2, replicas: 1 }),
        ],
      }),
    ).toEqual(['web-2 3']);
  });

  it('says that it is paused', () => {
    expect(condition({ deployment, sets: [] }, 'Progressing')).toBe('Unknown DeploymentPaused');
  });
});

describe('a Deployment that recreates', () => {
  const deployment = web({ strategy: { type: 'Recreate' } });
  const old = set({ image: 'web:1', revision: 1, replicas: 3 });

  it('first ends the old pods', () => {
    const situation = { deployment, sets: [old], running: 3 };
    expect(plan(situation).create).toBeUndefined();
    expect(scales(situation)).toEqual(['web-1 0']);
  });

  it('waits for the last of them', () => {
    const gone = set({ image: 'web:1', revision: 1, replicas: 0 });
    expect(plan({ deployment, sets: [gone], running: 1 }).create).toBeUndefined();
    expect(plan({ deployment, sets: [gone], running: 0 }).create?.spec.replicas).toBe(3);
  });

  it('is available only with all pods', () => {
    const sets = [set({ image: 'web:2', revision: 1, replicas: 3, available: 2 })];
    expect(condition({ deployment, sets }, 'Available')).toBe('False MinimumReplicasUnavailable');
  });
});

describe('the progress of a Deployment', () => {
  const halfway = [set({ image: 'web:2', revision: 1, replicas: 3, available: 1 })];
  const at = (seconds: number, deployment: Deployment) => ({
    deployment,
    sets: halfway,
    now: start + seconds * 1000,
  });
  const planned = (situation: Situation): Deployment => ({
    ...(situation.deployment ?? web()),
    status: plan(situation).status,
  });
  const deployment = web({ progressDeadlineSeconds: 60 });

  it('begins with the new ReplicaSet', () => {
    expect(condition({ sets: [] }, 'Progressing')).toBe('True NewReplicaSetCreated');
  });

  it('renews its deadline whenever pods become available', () => {
    const first = planned(at(0, deployment));
    const { status } = first;
    const fewer = { ...first, status: { ...status, availableReplicas: 0, readyReplicas: 0 } };
    expect(plan(at(59, fewer)).requeueAfterMs).toBe(60_000);
    expect(plan(at(59, first)).requeueAfterMs).toBe(1000);
  });

  it('is over when the deadline passes without any, and says so', () => {
    const first = planned(at(0, deployment));
    expect(condition(at(60, first), 'Progressing')).toBe('False ProgressDeadlineExceeded');
    const late = planned(at(60, first));
    expect(condition(at(600, late), 'Progressing')).toBe('False ProgressDeadlineExceeded');
    expect(plan(at(600, late)).requeueAfterMs).toBeUndefined();
  });

  it('is complete in the end, even late', () => {
    const late = planned(at(60, planned(at(0, deployment))));
    const sets = [set({ image: 'web:2', revision: 1, replicas: 3 })];
    expect(condition({ deployment: late, sets, now: start + 1e6 }, 'Progressing')).toBe(
      'True NewReplicaSetAvailable',
    );
  });

  it('keeps the time of a transition while the status stays the same', () => {
    const first = planned(at(0, deployment));
    const second = plan(at(30, first)).status.conditions;
    expect(second).toEqual(first.status.conditions);
  });
});
