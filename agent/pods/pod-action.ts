import type { ContainerId } from '../ports.ts';

/** What is to be done next for one pod, in this order. */
export type Plan = readonly PodAction[];

export type Step<K extends PodAction['kind']> = Extract<PodAction, { kind: K }>;

/** One start of a container. */
export type Start = Readonly<{ container: string; attempt: number }>;

/** One step towards what should be. Each is idempotent: after a crash the next plan finds out what is still to do. */
export type PodAction =
  | { readonly kind: 'ensure-volumes' }
  | { readonly kind: 'create-sandbox' }
  | { readonly kind: 'attach-network' }
  | ({ readonly kind: 'pull-image' } & Start)
  | ({ readonly kind: 'start-container' } & Start)
  | { readonly kind: 'stop-container'; readonly id: ContainerId; readonly because: string }
  | { readonly kind: 'kill-container'; readonly id: ContainerId }
  | { readonly kind: 'remove-container'; readonly id: ContainerId }
  | { readonly kind: 'detach-network' }
  | { readonly kind: 'remove-sandbox' }
  | { readonly kind: 'remove-volumes' }
  | {
      readonly kind: 'wait';
      readonly untilMs: number;
      /** When it is a crash back-off: for which start. */
      readonly restart?: Start;
    };
