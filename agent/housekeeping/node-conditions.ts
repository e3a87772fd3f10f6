import type { NodeCondition } from '../../api/node.ts';
import type { NodeMeasure } from './node-measure.ts';

export type PressureLimits = Readonly<{ minFreeDiskPercent: number }>;

/** As the kubelet's defaults. */
const minFreeInodesPercent = 5;
const minMemoryBytes = 100 * 1024 * 1024;
const minFreePidsPercent = 5;

/** What ended a pressure must be so much more than what began it, or the condition would flap. */
const relief = 1.1;

interface Check {
  readonly type: 'DiskPressure' | 'MemoryPressure' | 'PIDPressure';
  /** Below 1: there is too little. */
  room(measure: NodeMeasure, limits: PressureLimits): number;
  /** Reason and message, when it is True and when it is False. */
  readonly short: readonly [string, string];
  readonly fine: readonly [string, string];
}

const checks: readonly Check[] = [
  {
    type: 'DiskPressure',
    room: ({ disk }, { minFreeDiskPercent }) =>
      Math.min(
        disk.freePercent / minFreeDiskPercent,
        disk.freeInodesPercent / minFreeInodesPercent,
      ),
    short: ['AgentHasDiskPressure', "the disk of the agent's data directory is almost full"],
    fine: ['AgentHasNoDiskPressure', 'the agent has no disk pressure'],
  },
  {
    type: 'MemoryPressure',
    room: ({ memory }) => memory.availableBytes / minMemoryBytes,
    short: ['AgentHasInsufficientMemory', 'less than 100Mi of memory is available'],
    fine: ['AgentHasSufficientMemory', 'the agent has sufficient memory available'],
  },
  {
    type: 'PIDPressure',
    room: ({ freePidsPercent }) => freePidsPercent / minFreePidsPercent,
    short: ['AgentHasInsufficientPID', 'almost all process ids are taken'],
    fine: ['AgentHasSufficientPID', 'the agent has sufficient PID available'],
  },
];

/** The same list again if no status has changed. Pure. */
export function planConditions(
  before: readonly NodeCondition[],
  measure: NodeMeasure,
  limits: PressureLimits,
): readonly NodeCondition[] {
  const next = checks.map(({ type, room, short, fine }): NodeCondition => {
    const was = before.find((condition) => condition.type === type)?.status === 'True';
    const isShort = room(measure, limits) < (was ? relief : 1);
    const [reason, message] = isShort ? short : fine;
    return { type, status: isShort ? 'True' : 'False', reason, message };
  });
  return next.every(({ status }, i) => status === before[i]?.status) ? before : next;
}
