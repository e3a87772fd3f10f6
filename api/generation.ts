/**
 * How new an assignment is. `epoch` grows with every leader (the fence), `revision` is the store's: so that what a
 * deposed leader still says is older than all that its successor said, even after the store was put back from a backup.
 */
export interface Generation {
  readonly epoch: number;
  readonly revision: number;
}

/** Negative: `a` is older; 0: the same. */
export const compareGenerations = (a: Generation, b: Generation): number =>
  a.epoch - b.epoch || a.revision - b.revision;

/** "3/1042", for logs. */
export const formatGeneration = ({ epoch, revision }: Generation): string => `${epoch}/${revision}`;
