import { ReasonError } from '../../base/reason-error.ts';
import type { Op } from '../kernel/op.ts';
import { OpError } from '../kernel/op-error.ts';
import type { ExecSession } from '../kernel/shim.ts';
import { startProblem } from '../oci/start-problem.ts';

/** Kubernetes' words for why a container isn't running, as they appear in its status. All may pass: retryable. */
type ContainerErrorReason =
  /** The pod asks for something that can't be: found out before anything was made. */
  | 'CreateContainerConfigError'
  /** Its root file system or namespaces could not be made. */
  | 'CreateContainerError'
  /** The pod's shim is not there, or ended meanwhile. */
  | 'RunContainerError'
  /** Everything was ready, but the command could not be executed. Kubernetes reports exit code 128. */
  | 'StartError';

export class ContainerError extends ReasonError<ContainerErrorReason> {
  override readonly name = 'ContainerError';
}

export const configError = (message: string): ContainerError =>
  new ContainerError('CreateContainerConfigError', message);

type SandboxErrorReason =
  | 'CreatePodSandboxError'
  | 'SandboxLost'
  | 'UnknownSandbox'
  /** Nobody listens at the port. */
  | 'ConnectionRefused';

export class SandboxError extends ReasonError<SandboxErrorReason> {
  override readonly name = 'SandboxError';
}

/** The session, with what the shim says of a failure in its caller's words. */
export function withReason(session: ExecSession, reasonOf: (error: OpError) => Error): ExecSession {
  const exited = session.exited.catch((error: unknown) => {
    throw error instanceof OpError ? reasonOf(error) : error;
  });
  exited.catch(() => undefined); // who hangs up may not ask how it ended
  return { ...session, exited };
}

/** What a failed operation means to whoever wrote the pod. */
export function startFailure(ops: readonly Op[], cause: OpError): ContainerError {
  const problem = startProblem(ops, cause);
  return problem === undefined
    ? new ContainerError('CreateContainerError', 'preparing the container', { cause })
    : new ContainerError('StartError', problem, { cause });
}
