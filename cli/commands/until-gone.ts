import type { Cli } from '../cli.ts';
import { AlreadyTold } from '../cli-error.ts';
import { openWait } from '../io.ts';
import { titleOf } from '../kind-lookup.ts';
import { liveList } from '../live-list.ts';
import { formatDuration } from '../print/duration.ts';
import { openProgress } from '../print/progress.ts';
import { justThis, type ObjectRef } from '../resources.ts';

export type Deleted = Readonly<{ ref: ObjectRef; uid: string }>;

/** Waits until these very objects are gone. Throws AlreadyTold when time is up or at Ctrl-C. */
export async function untilGone(cli: Cli, deleted: readonly Deleted[], timeoutMs: number) {
  if (deleted.length === 0) return;
  const { clock, stderr } = cli.io;
  const progress = openProgress(stderr, clock);
  const startMs = clock.monotonic();
  const left = new Map(deleted.map(({ ref, uid }) => [uid, ref]));
  const show = () => {
    const [first] = left.values();
    const what = left.size === 1 && first ? titleOf(first) : `${left.size}`;
    const passedMs = clock.monotonic() - startMs;
    if (passedMs > quietMs)
      progress.update(`waiting for ${what} to end · ${formatDuration(passedMs)}`);
  };
  using wait = openWait(cli.io, timeoutMs);
  /** Of one kind in one namespace: one watch for all of them. */
  const watchPlace = async ([first, ...others]: readonly Deleted[]) => {
    if (first === undefined) return;
    const { kind, namespace } = first.ref;
    const selection = others.length > 0 ? { kind, namespace } : justThis(first.ref);
    const there = [first, ...others];
    for await (const objects of liveList(cli.api, selection, wait.signal)) {
      const present = new Set(objects.map(({ metadata }) => metadata.uid));
      const gone = there.filter(({ uid }) => !present.has(uid));
      for (const { uid } of gone) left.delete(uid);
      if (gone.length === there.length) return;
      show();
    }
  };
  const places = Map.groupBy(deleted, ({ ref }) => `${ref.kind.plural} ${ref.namespace}`);
  try {
    await Promise.all(places.values().map(watchPlace));
  } finally {
    progress.end();
  }
  if (left.size === 0) return;
  const names = [...left.values()].map(titleOf).join(' ');
  const why = cli.io.interruption().aborted ? 'interrupted' : 'orc: time is up';
  cli.err(`${why}: still ending: ${names}; they go on without this command`);
  throw new AlreadyTold(1);
}

/** Below it nothing is shown. */
const quietMs = 500;
