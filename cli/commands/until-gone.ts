import type { AnyObject } from '../../api/kind.ts';
import type { Cli } from '../cli.ts';
import { AlreadyTold } from '../cli-error.ts';
import { followList } from '../live-list.ts';
import { formatDuration } from '../print/duration.ts';
import { openProgress } from '../print/progress.ts';
import type { ObjectRef } from '../resources.ts';

export interface Deleted {
  readonly ref: ObjectRef;
  readonly uid: string;
}

/** Waits until these very objects are gone. Throws AlreadyTold when time is up or at Ctrl-C. */
export async function untilGone(
  cli: Cli,
  deleted: readonly Deleted[],
  timeoutMs: number,
): Promise<void> {
  if (deleted.length === 0) return;
  const { clock, stderr } = cli.io;
  const progress = openProgress(stderr, clock);
  const startMs = clock.monotonic();
  const left = new Map(deleted.map(({ ref, uid }) => [uid, ref]));
  const show = () => {
    const [first] = left.values();
    const what = left.size === 1 && first ? `${first.kind.singular}/${first.name}` : `${left.size}`;
    if (clock.monotonic() - startMs > quietMs)
      progress.update(
        `waiting for ${what} to end · ${formatDuration(clock.monotonic() - startMs)}`,
      );
  };
  const places = Map.groupBy(deleted, ({ ref }) => `${ref.kind.plural} ${ref.namespace}`);
  const ended = new AbortController();
  const interruption = cli.io.interruption();
  const signal = AbortSignal.any([ended.signal, interruption]);
  const cancel = clock.after(timeoutMs, () => ended.abort());
  try {
    await Promise.all(
      [...places.values()].map((there) => watchPlace(cli, there, { left, signal, show })),
    );
  } finally {
    cancel();
    ended.abort();
    progress.end();
  }
  if (left.size === 0) return;
  const names = [...left.values()].map(({ kind, name }) => `${kind.singular}/${name}`).join(' ');
  const why = interruption.aborted ? 'interrupted' : 'orc: time is up';
  cli.err(`${why}: still ending: ${names}; they go on without this command`);
  throw new AlreadyTold(1);
}

/** Below it nothing is shown. */
const quietMs = 500;

interface Waiting {
  readonly left: Map<string, ObjectRef>;
  readonly signal: AbortSignal;
  show(): void;
}

/** Of one kind in one namespace: one watch for all of them. */
async function watchPlace(
  cli: Cli,
  there: readonly Deleted[],
  { left, signal, show }: Waiting,
): Promise<void> {
  const [first] = there;
  if (first === undefined) return;
  const { kind, namespace } = first.ref;
  const done = new AbortController();
  const fieldSelector = there.length === 1 ? `metadata.name=${first.ref.name}` : undefined;
  await followList<AnyObject>(
    await cli.client(),
    { kind, namespace, fieldSelector },
    {
      signal: AbortSignal.any([done.signal, signal]),
      onChange(objects) {
        const present = new Set(objects.map(({ metadata }) => metadata.uid));
        const gone = there.filter(({ uid }) => !present.has(uid));
        for (const { uid } of gone) left.delete(uid);
        if (gone.length === there.length) done.abort();
        else show();
      },
    },
  );
}
