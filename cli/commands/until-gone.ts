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
  const stop = stopAt(cli, ended, timeoutMs);
  try {
    await Promise.all(
      [...places.values()].map((there) => watchPlace(cli, there, { left, ended, show })),
    );
  } finally {
    stop();
    progress.end();
  }
  if (left.size === 0) return;
  const names = [...left.values()].map(({ kind, name }) => `${kind.singular}/${name}`).join(' ');
  cli.err(
    `${String(ended.signal.reason)}: still ending: ${names}; they go on without this command`,
  );
  throw new AlreadyTold(1);
}

/** Below it nothing is shown. */
const quietMs = 500;

function stopAt({ io }: Cli, ended: AbortController, timeoutMs: number): () => void {
  const interruption = io.interruption();
  const onInterrupt = () => ended.abort('interrupted');
  interruption.addEventListener('abort', onInterrupt, { once: true });
  const cancel = io.clock.after(timeoutMs, () => ended.abort('orc: time is up'));
  return () => {
    cancel();
    interruption.removeEventListener('abort', onInterrupt);
    ended.abort('done');
  };
}

interface Waiting {
  readonly left: Map<string, ObjectRef>;
  readonly ended: AbortController;
  show(): void;
}

/** Of one kind in one namespace: one watch for all of them. */
async function watchPlace(
  cli: Cli,
  there: readonly Deleted[],
  { left, ended, show }: Waiting,
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
      signal: AbortSignal.any([done.signal, ended.signal]),
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
