import type { Container, ContainerId, Image, PodNetwork, PullProgress, Sandbox } from '../ports.ts';

/** What is there of one pod, right now: from the ports, and from what its worker remembers. */
export interface PodObservation {
  /** When it was so. */
  readonly now: number;
  readonly sandbox: Sandbox | undefined;
  /** Its address, if it holds one. */
  readonly network: PodNetwork | undefined;
  /** Its present sandbox is connected. */
  readonly attached: boolean;
  /** ready: every volume holds what the assignment says; stale: something is there, or is to be brought up to date. */
  readonly volumes: 'none' | 'stale' | 'ready';
  /** Every attempt on record, running and ended. */
  readonly containers: readonly Container[];
  /** By container name. */
  readonly images: ReadonlyMap<string, ImageState>;
  /** By container name. */
  readonly memory: ReadonlyMap<string, ContainerMemory>;
  /** By container name; only of containers that run. */
  readonly probes: ReadonlyMap<string, ProbeStates>;
  /** Set when a step on the way to a sandbox failed last time. */
  readonly blocked: Blocked | undefined;
}

/** Why a pod or a container can't go on for now, in Kubernetes' words. */
export type Blocked = Readonly<{ reason: string; message: string; retryAtMs: number }>;

export type ImageState =
  /** `failed`: how it went the last time. */
  | {
      readonly state: 'pulling';
      readonly progress: PullProgress | undefined;
      readonly failed: FailedPull | undefined;
    }
  /** `attempt`: for which start it was made sure of; a new start asks again (imagePullPolicy Always). */
  | { readonly state: 'present'; readonly image: Image; readonly attempt: number }
  | FailedPull;

export type FailedPull = Blocked & { readonly state: 'failed'; readonly failures: number };

/** What the records on disk don't say. Streak, stop and lost are kept beside them; the rest starts afresh with each agent. */
export interface ContainerMemory {
  /** Starts in a row that ended early: the exponent of the back-off. */
  readonly streak: number;
  readonly stop: StopOrder | undefined;
  readonly startFailure: (Blocked & { readonly failures: number }) | undefined;
  /** The newest run of a sandbox that was lost since: its record went with the sandbox. */
  readonly lost: Container | undefined;
  /** The attempt whose back-off was told of. */
  readonly toldBackOff: number | undefined;
}

type StopOrder = Readonly<{ id: ContainerId; sentAtMs: number; killed: boolean }>;

/** undefined: no such probe, or no verdict yet. */
export interface ProbeStates {
  readonly startup: boolean | undefined;
  readonly readiness: boolean | undefined;
  readonly liveness: boolean | undefined;
}

export const freshMemory: ContainerMemory = {
  streak: 0,
  stop: undefined,
  startFailure: undefined,
  lost: undefined,
  toldBackOff: undefined,
};

/** What is remembered of a container, or what is of one that is new. */
export const memoryOf = (of: Pick<PodObservation, 'memory'>, name: string): ContainerMemory =>
  of.memory.get(name) ?? freshMemory;

/** Nothing of the pod is left on this node. */
export const isGone = ({ sandbox, network, volumes }: PodObservation): boolean =>
  sandbox === undefined && network === undefined && volumes === 'none';

/** The newest attempt of a container, running or ended. */
export const newestOf = (observed: PodObservation, name: string): Container | undefined =>
  observed.containers
    .filter((c) => c.id.name === name)
    .reduce<Container | undefined>(
      (newest, c) => (newest === undefined || c.id.attempt > newest.id.attempt ? c : newest),
      memoryOf(observed, name).lost,
    );

/** Ended for good or lost: nothing of it runs. */
export const hasEnded = (container: Container): boolean => container.state !== 'running';

export const isRunning = (container: Container | undefined) => container?.state === 'running';

export const succeeded = (container: Container | undefined): boolean =>
  container?.state === 'exited' && container.exit?.exitCode === 0;
