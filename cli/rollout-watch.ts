import type { Deployment } from '../api/deployment.ts';
import { Event } from '../api/event.ts';
import { Pod } from '../api/pod.ts';
import { isPodReady } from '../api/pod-facts.ts';
import { CliError } from './cli-error.ts';
import { type ImagePull, imagePulls, pullProgress } from './image-pulls.ts';
import { liveList } from './live-list.ts';
import { podSelectorOf } from './pods-of.ts';
import { type Api, justThis, type ObjectRef } from './resources.ts';
import { type RolloutState, rolloutState } from './rollout-state.ts';

/** A rollout and what its new pods wait for. */
export interface RolloutView extends RolloutState {
  /** Ended, of pods that were not ready when the watch began. */
  readonly pulls: readonly ImagePull[];
  /** "pulling image: 12.0 MB of 45.0 MB" */
  readonly pulling: string | undefined;
}

export interface RolloutWatch {
  readonly signal: AbortSignal;
  onChange(view: RolloutView): void;
}

/** Follows the Deployment, its pods and their events until `signal` aborts. Throws CliError when it is deleted. */
export async function watchRollout(api: Api, ref: ObjectRef, { signal, onChange }: RolloutWatch) {
  const { namespace, name } = ref;
  let deployment = await api.get<Deployment>(ref);
  let pods: readonly Pod[] | undefined;
  let events: readonly Event[] = [];
  const newPods = new Set<string>();
  const look = () => {
    if (pods === undefined) return;
    const fresh = pods.filter(({ metadata }) => newPods.has(metadata.uid));
    const [pulls, pulling] = [imagePulls(events, fresh), pullProgress(fresh)];
    onChange({ ...rolloutState(deployment, pods), pulls, pulling });
  };
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
}
