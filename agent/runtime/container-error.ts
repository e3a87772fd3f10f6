/** Kubernetes' words for why a container isn't running, as they appear in its status. */
export type ContainerErrorReason = keyof typeof containerErrorReasons;

/** `retryable`: the same container may start at the next try although nobody has changed the pod. */
export const containerErrorReasons = {
  /** The pod asks for something that can't be: found out before anything was made. */
  CreateContainerConfigError: { retryable: true },
  /** Its root file system or namespaces could not be made. */
  CreateContainerError: { retryable: true },
  /** The pod's shim is not there, or ended meanwhile. */
  RunContainerError: { retryable: true },
  /** Everything was ready, but the command could not be executed. Kubernetes reports exit code 128. */
  StartError: { retryable: true },
} as const satisfies Record<string, { readonly retryable: boolean }>;

export class ContainerError extends Error {
  override readonly name = 'ContainerError';
  readonly reason: ContainerErrorReason;
  constructor(reason: ContainerErrorReason, message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}

export type SandboxErrorReason = 'CreatePodSandboxError' | 'SandboxLost' | 'UnknownSandbox';

export class SandboxError extends Error {
  override readonly name = 'SandboxError';
  readonly reason: SandboxErrorReason;
  constructor(reason: SandboxErrorReason, message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}
