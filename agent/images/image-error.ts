import { ReasonError } from '../../base/reason-error.ts';

/** Why an image can't be had. */
export type ImageErrorReason =
  | 'InvalidImageName'
  | 'ManifestUnknown'
  | 'Unauthorized'
  | 'TooManyRequests'
  | 'RegistryUnavailable'
  /** An answer that means none of the above; its status, code and message are in the error's. */
  | 'RegistryError'
  | 'DigestMismatch'
  | 'TooLarge'
  | 'UnsupportedMediaType'
  | 'UnsupportedPlatform'
  | 'InvalidManifest'
  | 'InvalidLayer'
  /** Kubernetes' word, for images that the node's policy refuses too. */
  | 'SignatureValidationFailed'
  | 'ImageInUse'
  /** The node's disk: full, read-only, broken. */
  | 'StorageFailed';

/** The one error of this folder. The message says what was wrong and, of a registry's answer, the registry's words. */
export class ImageError extends ReasonError<ImageErrorReason> {
  override readonly name = 'ImageError';
  /** How long the registry asked us to wait. */
  readonly retryAfterMs: number | undefined;

  constructor(
    reason: ImageErrorReason,
    message: string,
    options: ErrorOptions & { readonly retryAfterMs?: number | undefined } = {},
  ) {
    super(reason, message, options);
    this.retryAfterMs = options.retryAfterMs;
  }
}

export const invalidLayer = (why: string, options?: ErrorOptions): ImageError =>
  new ImageError('InvalidLayer', `invalid layer: ${why}`, options);

/** Nobody answered: it says nothing about the image. */
export const isUnreachable = (error: unknown): boolean =>
  error instanceof ImageError && error.reason === 'RegistryUnavailable';
