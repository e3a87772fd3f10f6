import type { RolloutView } from '../rollout-watch.ts';

/** "rollout     4/6 ready in 0.9 s · web-8f2c1 CrashLoopBackOff". Pure. */
export function formatRollout(views: readonly RolloutView[], time: string): string {
  const sum = (of: (view: RolloutView) => number) => views.reduce((all, one) => all + of(one), 0);
  const ready = `${sum((view) => view.ready)}/${sum(({ wanted }) => wanted)} ready ${time}`;
  const [failing] = views.flatMap((view) => view.failing);
  const trouble = failing && `${failing.pod.metadata.name} ${failing.reason}`;
  const pulling = views.flatMap((view) => view.pulling ?? [])[0];
  return topic('rollout') + [ready, trouble, pulling].filter(Boolean).join(' · ');
}

/** The word that begins a line of progress. */
export const topic = (word: string): string => word.padEnd(12);
