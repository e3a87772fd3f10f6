import type { Clock } from '../../base/clock.ts';
import type { Log } from '../../base/log.ts';
import type { ImagePort, ListedImage } from '../ports.ts';

export interface ImageLimits {
  /** Percent of the disk in use from which on images go, … */
  readonly highPercent: number;
  /** … until no more than this is. */
  readonly lowPercent: number;
  /** Longer unused, an image goes in any case; undefined: never. */
  readonly maxAgeMs: number | undefined;
}

/** What pods and containers of this node need: ids of images, and references that pods name. */
export type NeededImages = ReadonlySet<string>;

export interface ImageCollectorDeps {
  readonly images: Pick<ImagePort, 'list' | 'remove' | 'dropLayerBlobs'>;
  readonly limits: ImageLimits;
  needed(): Promise<NeededImages>;
  usedPercent(): Promise<number>;
  readonly clock: Clock;
  readonly log: Log;
}

/** As the kubelet's default: between its pull and its start nobody seems to need an image. */
const minAgeMs = 2 * 60_000;

/**
 * One pass: removes what images were unpacked from, then images one by one, until the disk has room. True: it has; false:
 * nothing is left that could go.
 */
export async function collectImages(deps: ImageCollectorDeps): Promise<boolean> {
  const { images, limits, clock, log } = deps;
  let goal = limits.highPercent;
  const isFull = (await deps.usedPercent()) > goal;
  const count = isFull ? await images.dropLayerBlobs() : 0;
  if (count > 0) log.info({ component: 'housekeeping', count }, 'compressed layers removed');
  if (limits.maxAgeMs === undefined && (!isFull || (await deps.usedPercent()) <= goal)) return true;
  const unused = planCollection(await images.list(), await deps.needed());
  const now = clock.now();
  for (const { id, lastUsedMs, references } of unused) {
    const ageMs = now - lastUsedMs;
    const isOld = limits.maxAgeMs !== undefined && ageMs > limits.maxAgeMs;
    if (!isOld && (ageMs < minAgeMs || (await deps.usedPercent()) <= goal)) break;
    if (!isOld) goal = limits.lowPercent;
    await images.remove(id, lastUsedMs);
    log.info({ component: 'housekeeping', image: references[0] ?? id }, 'image removed');
  }
  return (await deps.usedPercent()) <= limits.highPercent;
}

/** Those that nobody needs or wants to keep, the one unused for longest first; of equals the one pulled first. Pure. */
const planCollection = (images: readonly ListedImage[], needed: NeededImages) =>
  images
    .filter(({ isPinned }) => !isPinned)
    .filter(({ id, references }) => ![id, ...references].some((name) => needed.has(name)))
    .toSorted((a, b) => a.lastUsedMs - b.lastUsedMs);
