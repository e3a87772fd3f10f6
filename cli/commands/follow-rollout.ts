import { text } from 'node:stream/consumers';
import type { Deployment } from '../../api/deployment.ts';
import { Pod } from '../../api/pod.ts';
import type { Cli } from '../cli.ts';
import { AlreadyTold, CliError } from '../cli-error.ts';
import type { ApiClient } from '../client.ts';
import { followList } from '../live-list.ts';
import { podSelectorOf } from '../pods-of.ts';
import { formatDuration } from '../print/duration.ts';
import { openProgress } from '../print/progress.ts';
import { getObject, type ObjectRef, objectPath } from '../resources.ts';
import { type FailingPod, type RolloutState, rolloutState } from '../rollout-state.ts';

/**
 * Waits until the rollouts of these Deployments are done, and shows how far they are. Ctrl-C ends the waiting, not the
 * rollouts. Throws AlreadyTold when one is stuck, when time is up, and when interrupted.
 */
export async function followRollouts(
  cli: Cli,
  refs: readonly ObjectRef[],
  { timeoutMs }: { readonly timeoutMs: number },
): Promise<void> {
  const { clock, stdout } = cli.io;
  const progress = openProgress(stdout, clock);
  const startMs = clock.monotonic();
  const passed = () => formatDuration(clock.monotonic() - startMs);
  const states = new Map<string, RolloutState>();
  const show = (ref: ObjectRef, state: RolloutState) => {
    states.set(`${ref.namespace}/${ref.name}`, state);
    progress.update(progressText([...states.values()], `after ${passed()}`));
  };
  const outcomes = await Promise.all(refs.map((ref) => followOne(cli, ref, { timeoutMs, show })));
  progress.end(progressText([...states.values()], `in ${passed()}`));
  const worst = (['interrupted', 'stuck', 'timeout'] as const).find((one) =>
    outcomes.includes(one),
  );
  if (worst === undefined) return;
  if (worst !== 'interrupted') await tellFailing(cli, [...states.values()]);
  const unfinished = refs.filter((_, i) => outcomes[i] !== 'done');
  cli.err(endings[worst](unfinished, passed()));
  throw new AlreadyTold(1);
}

/** "rollout     4/6 ready in 0.9 s · web-8f2c1 CrashLoopBackOff". Pure. */
function progressText(states: readonly RolloutState[], time: string): string {
  const sum = (of: (state: RolloutState) => number) =>
    states.reduce((all, one) => all + of(one), 0);
  const [failing] = states.flatMap((state) => state.failing);
  const trouble = failing === undefined ? '' : ` · ${failing.pod.metadata.name} ${failing.reason}`;
  const ready = `${sum((state) => state.ready)}/${sum(({ wanted }) => wanted)} ready`;
  return `${'rollout'.padEnd(12)}${ready} ${time}${trouble}`;
}

type Outcome = 'done' | 'stuck' | 'timeout' | 'interrupted';

const endings: Readonly<
  Record<Exclude<Outcome, 'done'>, (refs: readonly ObjectRef[], passed: string) => string>
> = {
  interrupted: (refs) => `interrupted: the rollout goes on; orc rollout status ${names(refs)}`,
  stuck: (refs) => `orc: no progress any more; orc rollout undo ${names(refs)} takes it back`,
  timeout: (refs, passed) =>
    `orc: not ready after ${passed}; the rollout goes on: orc rollout status ${names(refs)}`,
};

const names = (refs: readonly ObjectRef[]) =>
  refs
    .map(
      ({ name, namespace }) => `deploy/${name}${namespace === 'default' ? '' : ` -n ${namespace}`}`,
    )
    .join(' ');

interface Following {
  readonly timeoutMs: number;
  show(ref: ObjectRef, state: RolloutState): void;
}

async function followOne(cli: Cli, ref: ObjectRef, follow: Following): Promise<Outcome> {
  const ended = new AbortController();
  let outcome: Outcome = 'done';
  const end = (how: Outcome) => {
    if (!ended.signal.aborted) outcome = how;
    ended.abort();
  };
  const interruption = cli.io.interruption();
  const onInterrupt = () => end('interrupted');
  if (interruption.aborted) onInterrupt();
  interruption.addEventListener('abort', onInterrupt, { once: true });
  const cancel = cli.io.clock.after(follow.timeoutMs, () => end('timeout'));
  try {
    await watchRollout(await cli.client(), ref, {
      signal: ended.signal,
      onState(state) {
        follow.show(ref, state);
        if (state.phase !== 'going') end(state.phase);
      },
    });
    return outcome;
  } finally {
    cancel();
    interruption.removeEventListener('abort', onInterrupt);
    ended.abort();
  }
}

interface RolloutWatch {
  readonly signal: AbortSignal;
  onState(state: RolloutState): void;
}

/** Until `signal` aborts. Throws CliError when the Deployment is deleted. */
async function watchRollout(
  client: ApiClient,
  ref: ObjectRef,
  { signal, onState }: RolloutWatch,
): Promise<void> {
  const { kind, namespace, name } = ref;
  let deployment = await getObject<Deployment>(client, ref);
  let pods: readonly Pod[] = [];
  const look = () => onState(rolloutState(deployment, pods));
  const onDeployment = ([next]: readonly Deployment[]) => {
    if (next === undefined) throw new CliError(`deployment/${name} was deleted`);
    deployment = next;
    look();
  };
  const onPods = (next: readonly Pod[]) => {
    pods = next;
    look();
  };
  const itself = { kind, namespace, fieldSelector: `metadata.name=${name}` };
  const itsPods = { kind: Pod, namespace, labelSelector: podSelectorOf(deployment) };
  await Promise.all([
    followList<Deployment>(client, itself, { signal, onChange: onDeployment }),
    followList<Pod>(client, itsPods, { signal, onChange: onPods }),
  ]);
}

const mostTold = 3;

/** Why pods don't run: the reason, and the last thing they said. */
async function tellFailing(cli: Cli, states: readonly RolloutState[]): Promise<void> {
  const client = await cli.client();
  for (const { message } of states) if (message !== '') cli.err(message);
  const failing = states.flatMap((state) => state.failing).slice(0, mostTold);
  for (const one of failing) {
    const { pod, reason, message, exitCode } = one;
    const exit = exitCode === undefined ? '' : `: exit ${exitCode}`;
    const line = exitCode === undefined ? undefined : await lastLogLine(client, one);
    const said = line ? `, "${line}" (last line of its log)` : message && ` ${message}`;
    cli.err(`pod/${pod.metadata.name} ${reason}${exit}${said}`);
  }
}

/** undefined: there is none to be had, and that is not what the user asked for. */
async function lastLogLine(
  client: ApiClient,
  { pod, container }: FailingPod,
): Promise<string | undefined> {
  const { name, namespace = '' } = pod.metadata;
  const path = objectPath({ kind: Pod, namespace, name }, 'log');
  const last = async (previous: boolean) => {
    const query = { container, tailLines: 1, previous };
    return (await text(await client.open({ path, query }))).trim();
  };
  return (await last(false).catch(() => '')) || (await last(true).catch(() => '')) || undefined;
}
