import { describe, expect, it } from 'vitest';
import { collectImages, type ImageLimits } from '../../../../agent/housekeeping/image-collector.ts';
import type { ListedImage } from '../../../../agent/ports.ts';
import { silentLog } from '../../../../base/log.ts';
import { webImage } from '../../../support/a-pod.ts';
import { fakeClock } from '../../../support/fake-clock.ts';

const minute = 60_000;
const image = (
  id: string,
  minutesAgo: number,
  references: readonly string[] = [],
): ListedImage => ({
  ...webImage,
  id,
  references,
  lastUsedMs: 1000 * minute - minutesAgo * minute,
  isPinned: false,
});

interface Disk {
  readonly used: number;
  readonly needed?: readonly string[];
  /** Percent of the disk that compressed layers take. */
  readonly blobs?: number;
}

/** Each image takes 5 % of the disk. Gives the ids removed, in order, and whether there is room. */
async function collect(
  images: readonly ListedImage[],
  { used, needed = [], blobs = 0, ...limits }: Disk & Partial<ImageLimits>,
) {
  let dropped = 0;
  const removed: string[] = [];
  const hasRoom = await collectImages({
    images: {
      list: async () => images,
      remove: async (id) => void removed.push(id),
      async dropLayerBlobs() {
        dropped = blobs;
        return 1;
      },
    },
    limits: { highPercent: 85, lowPercent: 80, maxAgeMs: undefined, ...limits },
    needed: async () => new Set(needed),
    usedPercent: async () => used - dropped - 5 * removed.length,
    clock: fakeClock(1000 * minute),
    log: silentLog,
  });
  return { removed, hasRoom };
}

const three = [image('b', 20), image('a', 30), image('c', 10)];

describe('images', () => {
  it('stay while the disk has room, however old', async () => {
    expect(await collect(three, { used: 85 })).toEqual({ removed: [], hasRoom: true });
  });

  it('go above the high mark down to the low one, the one unused for longest first', async () => {
    expect(await collect(three, { used: 89 })).toEqual({ removed: ['a', 'b'], hasRoom: true });
  });

  it('stay while compressed layers that can go are enough', async () => {
    expect(await collect(three, { used: 89, blobs: 4 })).toEqual({ removed: [], hasRoom: true });
    expect(await collect(three, { used: 92, blobs: 2 })).toEqual({
      removed: ['a', 'b'],
      hasRoom: true,
    });
  });

  it('stay when they are pinned, however old', async () => {
    const pinned = [{ ...image('a', 30), isPinned: true }, image('b', 20)];
    expect(await collect(pinned, { used: 99, maxAgeMs: minute })).toEqual({
      removed: ['b'],
      hasRoom: false,
    });
  });

  it('stay when a pod names them or a container stands on them', async () => {
    const named = [image('a', 30, ['web:1']), image('b', 20), image('c', 10)];
    expect(await collect(named, { used: 99, needed: ['web:1', 'b'] })).toEqual({
      removed: ['c'],
      hasRoom: false,
    });
  });

  it('stay for two minutes after their use: a start may be on its way', async () => {
    const fresh = [image('a', 1.9), image('b', 2)];
    expect(await collect(fresh, { used: 99 })).toEqual({ removed: ['b'], hasRoom: false });
  });

  it('go when they are older than a maximum age, whatever room there is', async () => {
    expect(await collect(three, { used: 10, maxAgeMs: 15 * minute })).toEqual({
      removed: ['a', 'b'],
      hasRoom: true,
    });
  });
});
