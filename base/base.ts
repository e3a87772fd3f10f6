import type { Clock } from './clock.ts';
import type { Log } from './log.ts';
import type { Rng } from './rng.ts';

/** What almost every part with a life of its own is given. */
export type Base = Readonly<{ clock: Clock; rng: Rng; log: Log }>;
