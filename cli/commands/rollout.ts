import { Deployment } from '../../api/deployment.ts';
import { formatSince } from '../../api/format-age.ts';
import type { ReplicaSet } from '../../api/replica-set.ts';
import { formatTime } from '../../base/clock.ts';
import { on, text, UsageError, type ValuesOf } from '../../base/flags.ts';
import type { Cli } from '../cli.ts';
import { CliError } from '../cli-error.ts';
import { defineVerb, stepOf } from '../define-verb.ts';
import { titleOf } from '../kind-lookup.ts';
import { replicaSetsOf } from '../pods-of.ts';
import { timeoutFlag } from '../print/duration.ts';
import { printTable } from '../print/table.ts';
import type { ObjectRef } from '../resources.ts';
import { refsMeant } from '../targets.ts';
import { followRollouts } from './follow-rollout.ts';

const rolloutFlags = {
  'to-revision': text('number', 'for undo (default: the one before)').whole(),
  'no-wait': on('restart and undo: don’t wait until it is done'),
  timeout: timeoutFlag,
};

export const defineRollout = defineVerb({
  words: {
    '<verb>': 'status, restart, undo, history, pause or resume',
    '<what...>': 'deploy/web · deploy web api',
  },
  flags: rolloutFlags,
  async run(cli, [verb = '', ...words], flags) {
    const step = stepOf('rollout', steps, verb);
    const refs = await refsMeant(cli, words);
    const other = refs.find(({ kind }) => kind !== Deployment);
    if (other) throw new UsageError(`only deployments roll out, not ${other.kind.plural}`);
    if (verb === 'restart' || verb === 'undo') await refusePaused(cli, refs);
    for (const ref of refs) {
      const outcome = await step(cli, ref, flags);
      if (outcome !== undefined) cli.out(`${titleOf(ref)} ${outcome}`);
    }
    if (waiting.includes(verb) && (!flags.noWait || verb === 'status'))
      await followRollouts(cli, refs, flags.timeout);
  },
});

/** Nothing would come of it before they are resumed. */
async function refusePaused({ api }: Cli, refs: readonly ObjectRef[]): Promise<void> {
  for (const ref of refs) {
    const { spec } = await api.get<Deployment>(ref);
    if (spec.paused)
      throw new CliError(`${titleOf(ref)} is paused: orc rollout resume deploy/${ref.name} first`);
  }
}

type RolloutFlags = ValuesOf<typeof rolloutFlags>;

/** Does its part for one Deployment; undefined: nothing to say or to wait for. */
type Step = (cli: Cli, ref: ObjectRef, flags: RolloutFlags) => Promise<string | undefined>;

const steps: Readonly<Record<string, Step>> = {
  status: async () => undefined,
  restart,
  undo,
  history,
  pause: (cli, ref) => setPaused(cli, ref, true),
  resume: (cli, ref) => setPaused(cli, ref, false),
};

const waiting = ['status', 'restart', 'undo', 'resume'];

/** The annotation that kubectl writes too: a new template, so new pods, one after the other. */
async function restart(cli: Cli, ref: ObjectRef): Promise<string> {
  const annotations = { 'kubectl.kubernetes.io/restartedAt': formatTime(cli.io.clock.now()) };
  await cli.api.patch(ref, { body: { spec: { template: { metadata: { annotations } } } } });
  return 'restarted';
}

async function setPaused(cli: Cli, ref: ObjectRef, paused: boolean): Promise<string> {
  await cli.api.patch(ref, { body: { spec: { paused } } });
  return paused ? 'paused: changes of its template wait for orc rollout resume' : 'resumed';
}

async function undo(cli: Cli, ref: ObjectRef, { toRevision }: RolloutFlags): Promise<string> {
  const { deployment, sets } = await revisionsOf(cli, ref);
  const now = revisionOf(deployment);
  const [wanted, title] =
    toRevision === undefined
      ? [sets.findLast((set) => revisionOf(set) < now), 'before this one']
      : [sets.find((set) => revisionOf(set) === toRevision), `${toRevision}`];
  if (wanted === undefined) {
    const hint = 'orc rollout history lists them';
    throw new CliError(`deployment/${ref.name} has no revision ${title} (${hint})`);
  }
  const body = [{ op: 'replace', path: '/spec/template', value: templateOf(wanted) }];
  await cli.api.patch(ref, { body, as: 'json' });
  return `goes back to revision ${revisionOf(wanted)}`;
}

async function history(cli: Cli, ref: ObjectRef) {
  const { deployment, sets } = await revisionsOf(cli, ref);
  const now = revisionOf(deployment);
  const rows = sets.map((set) => [
    String(revisionOf(set)),
    set.spec.template.spec.containers.map(({ image }) => image).join(','),
    `${set.status.readyReplicas ?? 0}/${set.spec.replicas}`,
    formatSince(set.metadata.creationTimestamp, cli.io.clock.now()),
    revisionOf(set) === now ? 'now' : '',
  ]);
  printTable(cli, { headers: ['REVISION', 'IMAGES', 'READY', 'AGE', ''], rows });
  return undefined;
}

/** Its ReplicaSets, the latest revision last. */
async function revisionsOf(cli: Cli, ref: ObjectRef) {
  const deployment = await cli.api.get<Deployment>(ref);
  const sets = await replicaSetsOf(cli.api, deployment);
  return { deployment, sets: sets.toSorted((a, b) => revisionOf(a) - revisionOf(b)) };
}

const revisionOf = ({ metadata }: Deployment | ReplicaSet): number =>
  Number(metadata.annotations?.['deployment.kubernetes.io/revision'] ?? 0);

/** Without the label by which the ReplicaSet tells its pods. */
function templateOf({ spec: { template } }: ReplicaSet) {
  const { 'pod-template-hash': _, ...labels } = template.metadata.labels ?? {};
  return { ...template, metadata: { ...template.metadata, labels } };
}
