import type { UserNamespaceRange } from '../ports.ts';

/** Ids of one pod: as many as 16 bits tell apart, so that every id an image can name has its own. */
export const idsPerPod = 65_536;

/** Above what distributions give to users (/etc/subuid); 4096 slots end well below 2³¹. */
const firstSlotId = 1_048_576;
const slots = 4096;

/**
 * The next free range behind the one given last, around the end: a range comes back as late as possible, because a pod
 * that was just taken off this node may still be dying. Throws when all are taken: none would mean the host's.
 */
export function nextUserNamespace(
  taken: ReadonlySet<number>,
  lastFirstId: number | undefined,
): UserNamespaceRange {
  const start = lastFirstId === undefined ? 0 : (lastFirstId - firstSlotId) / idsPerPod + 1;
  for (let i = 0; i < slots; i++) {
    const firstId = firstSlotId + ((start + i) % slots) * idsPerPod;
    if (!taken.has(firstId)) return { firstId, size: idsPerPod };
  }
  throw new RangeError(`all ${slots} ranges of user ids are taken`);
}
