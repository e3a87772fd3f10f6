import { ReasonError } from '../../base/reason-error.ts';

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

export function configError(message: string): ContainerError {
  return new ContainerError('CreateContainerConfigError', message);
}

type SandboxErrorReason =
  | 'CreatePodSandboxError'
  | 'SandboxLost'
  | 'UnknownSandbox'
  /** Nobody listens at the port. */
  | 'ConnectionRefused';

export class SandboxError extends ReasonError<SandboxErrorReason> {
  override readonly name = 'SandboxError';
}
