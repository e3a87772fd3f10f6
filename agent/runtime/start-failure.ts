import type { Op } from '../kernel/op.ts';
import type { OpError } from '../kernel/op-error.ts';
import { startProblem } from '../oci/start-problem.ts';
import { ContainerError } from './container-error.ts';

/** What a failed operation means to whoever wrote the pod. */
export function startFailure(ops: readonly Op[], cause: OpError): ContainerError {
  const problem = startProblem(ops, cause);
  return problem === undefined
    ? new ContainerError('CreateContainerError', 'preparing the container', { cause })
    : new ContainerError('StartError', problem, { cause });
}
