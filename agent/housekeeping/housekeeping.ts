import type { Usage } from '../../api/generated/agent.ts';
import type { NodeCondition } from '../../api/node.ts';
import { type Clock, repeat } from '../../base/clock.ts';
import type { Log } from '../../base/log.ts';
import type { ImagePort } from '../ports.ts';
import { collectImages, type ImageLimits, type NeededImages } from './image-collector.ts';
import { type PressureLimits, planConditions } from './node-conditions.ts';
import { measureNode } from './node-measure.ts';
import { type UsageSample, usageBetween } from './usage-meter.ts';

export interface HousekeepingLimits extends ImageLimits, PressureLimits {}

export interface HousekeepingDeps {
  readonly dataDir: string;
  readonly limits: HousekeepingLimits;
  readonly images: ImagePort;
  /** What pods and containers stand on, or will. */
  neededImages(): Promise<NeededImages>;
  containerUsages(): Promise<UsageSample['containers']>;
  reportUsage(usage: Usage): void;
  /** All of them, whenever one has changed. */
  reportConditions(conditions: readonly NodeCondition[]): void;
  /** Nothing more can be removed, and the disk is still too full. */
  onFullDisk(message: string): void;
  readonly clock: Clock;
  readonly log: Log;
}

const measureEveryMs = 10_000;
const collectEveryMs = 30_000;

/** Keeps the node's disk from filling up, and tells how full it is and what is used. Returns how to stop. */
export function startHousekeeping(deps: HousekeepingDeps): () => Promise<void> {
  const measure = measuring(deps);
  const collect = collecting(deps);
  const guarded = (task: () => Promise<void>) => () =>
    task().catch((err: unknown) =>
      deps.log.warn({ err, component: 'housekeeping' }, 'housekeeping failed'),
    );
  const first = guarded(measure)();
  const stops = [
    repeat(deps.clock, measureEveryMs, guarded(measure)),
    repeat(deps.clock, collectEveryMs, guarded(collect)),
  ];
  return async () => {
    await Promise.all([first, ...stops.map((stop) => stop())]);
  };
}

function measuring(deps: HousekeepingDeps): () => Promise<void> {
  let before: UsageSample | undefined;
  let conditions: readonly NodeCondition[] = [];
  return async () => {
    const [node, containers] = await Promise.all([
      measureNode(deps.dataDir),
      deps.containerUsages(),
    ]);
    const sample = { atMs: deps.clock.monotonic(), node, containers };
    if (before) deps.reportUsage(usageBetween(before, sample));
    before = sample;
    const planned = planConditions(conditions, node, deps.limits);
    if (planned === conditions) return;
    conditions = planned;
    deps.reportConditions(conditions);
  };
}

function collecting(deps: HousekeepingDeps): () => Promise<void> {
  const { dataDir, limits } = deps;
  const usedPercent = async () => 100 - (await measureNode(dataDir)).disk.freePercent;
  let hasRoom = true;
  return async () => {
    const hadRoom = hasRoom;
    hasRoom = await collectImages({ ...deps, needed: deps.neededImages, usedPercent });
    if (hadRoom && !hasRoom)
      deps.onFullDisk(
        `more than ${limits.highPercent}% of the disk of ${dataDir} is in use, and no image on it is unused`,
      );
  };
}
