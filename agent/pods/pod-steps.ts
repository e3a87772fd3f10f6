import { backoffMs } from '../../base/backoff.ts';
import { errorChain } from '../../base/error-chain.ts';
import { startBackoff } from './container-plan.ts';
import { killContainer, startContainer, stopContainer } from './container-steps.ts';
import { attachNetwork, createSandbox, ensureVolumes, removeSandbox } from './ground-steps.ts';
import { startPull } from './image-pull.ts';
import type { PodAction } from './pod-action.ts';
import type { PodPass } from './pod-context.ts';
import { tell } from './pod-events.ts';

/** Does one step. What a pod must wait for is written into its record; anything else is thrown. */
export async function applyPodAction(action: PodAction, pass: PodPass): Promise<void> {
  const { ports, record } = pass;
  switch (action.kind) {
    case 'ensure-volumes':
      return blocking(mounting, pass, ensureVolumes);
    case 'create-sandbox':
      return blocking(creating, pass, createSandbox);
    case 'attach-network':
      return blocking(attaching, pass, attachNetwork);
    case 'pull-image':
      return startPull(action, pass);
    case 'start-container':
      return startContainer(action, pass);
    case 'stop-container':
      return stopContainer(action, pass);
    case 'kill-container':
      return killContainer(action, pass);
    case 'remove-container':
      return ports.containers.remove(action.id);
    case 'detach-network':
      return ports.network.detach(record.uid);
    case 'remove-sandbox':
      return removeSandbox(pass);
    case 'remove-volumes':
      await ports.volumes.remove(record.uid);
      record.volumesFor = undefined;
      return;
    case 'wait':
      return;
  }
}

interface Ground {
  readonly reason: string;
  /** Says which step it was; "" where the error does so. */
  readonly failed: string;
}
const mounting: Ground = { reason: 'FailedMount', failed: '' };
const creating: Ground = {
  reason: 'FailedCreatePodSandBox',
  failed: 'Failed to create pod sandbox: ',
};
const attaching: Ground = {
  reason: 'FailedCreatePodSandBox',
  failed: 'Failed to create pod sandbox: connecting its network: ',
};

/** A failure here stops the pod as a whole, for a while that grows. */
async function blocking(
  { reason, failed }: Ground,
  pass: PodPass,
  step: (pass: PodPass) => Promise<void>,
): Promise<void> {
  const { record, clock } = pass;
  try {
    await step(pass);
    record.blocked = undefined;
    record.blockedTimes = 0;
  } catch (error) {
    pass.signal.throwIfAborted();
    const message = `${failed}${errorChain(error)}`;
    record.blockedTimes += 1;
    const retryAtMs = clock.now() + backoffMs(startBackoff, record.blockedTimes);
    record.blocked = { reason, message, retryAtMs };
    tell(pass, { type: 'Warning', reason, message });
  }
}
