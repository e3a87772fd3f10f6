import { text } from 'node:stream/consumers';
import type { Deployment } from '../../api/deployment.ts';
import { Event } from '../../api/event.ts';
import { Pod } from '../../api/pod.ts';
import { isPodReady } from '../../api/pod-facts.ts';
import { repeat } from '../../base/clock.ts';
import type { Cli } from '../cli.ts';
import { AlreadyTold, CliError } from '../cli-error.ts';
import { formatPull, type ImagePull, imagePulls, pullProgress } from '../image-pulls.ts';
import { openWait } from '../io.ts';
import { liveList } from '../live-list.ts';
import { podRef, podSelectorOf } from '../pods-of.ts';
import { printable } from '../print/colour.ts';
import { formatDuration } from '../print/duration.ts';
import { openProgress } from '../print/progress.ts';
import { justThis, type ObjectRef, objectPath } from '../resources.ts';
import { type FailingPod, type RolloutState, rolloutState } from '../rollout-state.ts';

/**
 * Waits until the rollouts of these Deployments are done, and shows how far they are. Ctrl-C ends the waiting, not the
 * rollouts. Throws AlreadyTold when one is stuck, when time is up, and when interrupted.
 */
export async function followRollouts(cli: Cli, refs: readonly ObjectRef[], timeoutMs: number) {
  const { clock, stdout } = cli.io;
  const progress = openProgress(stdout, clock);
  const startMs = clock.monotonic();
  const passed = () => formatDuration(clock.monotonic() - startMs);
  const views = new Map<string, RolloutView>();
  const draw = () => progress.update(formatRollout([...views.values()], `after ${passed()}`));
  const show = (ref: ObjectRef, view: RolloutView) => {
    views.set(`${ref.namespace}/${ref.name}`, view);
    draw();
  };
  // So that the time goes on where nothing else changes.
  const stopTicking = repeat(clock, 1000, draw);
  const outcomes = await Promise.all(
    refs.map((ref) => followOne(cli, ref, { timeoutMs, show })),
  ).finally(() => void stopTicking());
  const last = [...views.values()];
  for (const pull of last.flatMap(({ pulls }) => pulls))
    progress.note(`${topic('pulled')}${formatPull(pull)}`);
  progress.end(formatRollout(last, `in ${passed()}`));
  const worst = (['interrupted', 'stuck', 'timeout'] as const).find((one) =>
    outcomes.includes(one),
  );
  if (worst === undefined) return;
  if (worst !== 'interrupted') await tellFailing(cli, last);
  const unfinished = refs.filter((_, i) => outcomes[i] !== 'done').map(wordsFor);
  cli.err(endings[worst](unfinished.join(' '), passed()));
  throw new AlreadyTold(1);
}

const endings = {
  interrupted: (names: string) => `interrupted: the rollout goes on; orc rollout status ${names}`,
  stuck: (names: string) => `orc: no progress any more; orc rollout undo ${names} takes it back`,
  timeout: (names: string, passed: string) =>
    `orc: not ready after ${passed}; the rollout goes on: orc rollout status ${names}`,
};

type Outcome = 'done' | keyof typeof endings;

/** As rollout's other verbs take them. */
const wordsFor = ({ name, namespace }: ObjectRef) =>
  `deploy/${name}${namespace === 'default' ? '' : ` -n ${namespace}`}`;

/** "rollout     4/6 ready in 0.9 s · web-8f2c1 CrashLoopBackOff". Pure. */
function formatRollout(views: readonly RolloutView[], time: string): string {
  const sum = (of: (view: RolloutView) => number) => views.reduce((all, one) => all + of(one), 0);
  const ready = `${sum((view) => view.ready)}/${sum(({ wanted }) => wanted)} ready ${time}`;
  const [failing] = views.flatMap((view) => view.failing);
  const trouble = failing && `${failing.pod.metadata.name} ${failing.reason}`;
  const pulling = views.flatMap((view) => view.pulling ?? [])[0];
  return topic('rollout') + [ready, trouble, pulling].filter(Boolean).join(' · ');
}

/** The word that begins a line of progress. */
const topic = (word: string): string => word.padEnd(12);

type Following = Readonly<{ timeoutMs: number; show(ref: ObjectRef, view: RolloutView): void }>;

/** Follows the Deployment, its pods and their events to the rollout's end. Throws CliError when it is deleted. */
async function followOne(cli: Cli, ref: ObjectRef, follow: Following): Promise<Outcome> {
  const { api, io } = cli;
  using wait = openWait(io, follow.timeoutMs);
  const { signal } = wait;
  let outcome: Outcome | undefined;
  let deployment = await api.get<Deployment>(ref);
  let pods: readonly Pod[] | undefined;
  let events: readonly Event[] = [];
  const newPods = new Set<string>();
  const look = () => {
    if (pods === undefined) return;
    const fresh = pods.filter(({ metadata }) => newPods.has(metadata.uid));
    const state = rolloutState(deployment, pods);
    follow.show(ref, { ...state, pulls: imagePulls(events, fresh), pulling: pullProgress(fresh) });
    if (state.phase === 'going') return;
    outcome ??= state.phase;
    wait.end();
  };
  const { namespace, name } = ref;
  const pulled = 'involvedObject.kind=Pod,reason=Pulled';
  const pullEvents = { kind: Event, namespace, fieldSelector: pulled };
  const itsPods = { kind: Pod, namespace, labelSelector: podSelectorOf(deployment) };
  const watchItself = async () => {
    for await (const [next] of liveList<Deployment>(api, justThis(ref), signal)) {
      if (next === undefined) throw new CliError(`deployment/${name} was deleted`);
      deployment = next;
      look();
    }
  };
  const watchPods = async () => {
    for await (const next of liveList<Pod>(api, itsPods, signal)) {
      pods = next;
      for (const pod of next) if (!isPodReady(pod)) newPods.add(pod.metadata.uid);
      look();
    }
  };
  const watchPulls = async () => {
    for await (const next of liveList<Event>(api, pullEvents, signal)) events = next;
  };
  await Promise.all([watchItself(), watchPods(), watchPulls()]);
  return outcome ?? (io.interruption().aborted ? 'interrupted' : 'timeout');
}

/** A rollout and what its new pods wait for. */
interface RolloutView extends RolloutState {
  /** Ended, of pods that were not ready when the watch began. */
  readonly pulls: readonly ImagePull[];
  /** "pulling image: 12.0 MB of 45.0 MB" */
  readonly pulling: string | undefined;
}

const mostTold = 3;

/** Why pods don't run: the reason, and the last thing they said. */
async function tellFailing(cli: Cli, views: readonly RolloutView[]): Promise<void> {
  for (const { message } of views) if (message !== '') cli.err(message);
  const failing = views.flatMap((view) => view.failing);
  for (const one of failing.slice(0, mostTold)) {
    const { pod, reason, message, exitCode } = one;
    const exit = exitCode === undefined ? '' : `: exit ${exitCode}`;
    const line = exitCode === undefined ? undefined : await lastLogLine(cli, one);
    const said = line ? `, "${line}" (last line of its log)` : message && `: ${message}`;
    cli.err(printable(`pod/${pod.metadata.name} ${reason}${exit}${said}`));
  }
  if (failing.length > mostTold) cli.err(`and ${failing.length - mostTold} more`);
}

/** undefined: there is none to be had, and that is not what the user asked for. */
async function lastLogLine({ api }: Cli, { pod, container }: FailingPod) {
  const path = objectPath(podRef(pod), 'log');
  const last = async (previous: boolean) => {
    const query = { container, tailLines: 1, previous };
    return (await text(await api.open({ path, query }))).trim();
  };
  return (await last(false).catch(() => '')) || (await last(true).catch(() => '')) || undefined;
}
