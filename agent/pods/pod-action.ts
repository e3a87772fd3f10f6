import type { ContainerId } from '../ports.ts';

/** One step towards what should be. Each is idempotent: after a crash the next plan finds out what is still to do. */
export type PodAction =
  | { readonly kind: 'ensure-volumes' }
  | { readonly kind: 'create-sandbox' }
  | { readonly kind: 'attach-network' }
  | { readonly kind: 'pull-image'; readonly container: string; readonly attempt: number }
  | { readonly kind: 'start-container'; readonly container: string; readonly attempt: number }
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
      readonly restart?: { readonly container: string; readonly attempt: number };
    };
