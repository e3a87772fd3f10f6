/** Why an image can't be had. `retryable`: trying again later may help without anybody changing anything. */
const imageErrorReasons = {
  InvalidImageName: { retryable: false },
  ManifestUnknown: { retryable: false },
  Unauthorized: { retryable: false },
  TooManyRequests: { retryable: true },
  RegistryUnavailable: { retryable: true },
  /** An answer that means none of the above; its status, code and message are in the error's. */
  RegistryError: { retryable: false },
  DigestMismatch: { retryable: true },
  TooLarge: { retryable: false },
  UnsupportedMediaType: { retryable: false },
  UnsupportedPlatform: { retryable: false },
  InvalidManifest: { retryable: false },
  InvalidLayer: { retryable: false },
  /** The node's disk: full, read-only, broken. */
  StorageFailed: { retryable: true },
} as const satisfies Record<string, { readonly retryable: boolean }>;

export type ImageErrorReason = keyof typeof imageErrorReasons;

/** The one error of this folder. The message says what was wrong and, of a registry's answer, the registry's words. */
export class ImageError extends Error {
  override readonly name = 'ImageError';
  readonly reason: ImageErrorReason;
  /** How long the registry asked us to wait. */
  readonly retryAfterMs: number | undefined;

  constructor(
    reason: ImageErrorReason,
    message: string,
    options: ErrorOptions & { readonly retryAfterMs?: number | undefined } = {},
  ) {
    super(message, 'cause' in options ? { cause: options.cause } : {});
    this.reason = reason;
    this.retryAfterMs = options.retryAfterMs;
  }

  get retryable(): boolean {
    return imageErrorReasons[this.reason].retryable;
  }
}

export function invalidLayer(why: string, options?: ErrorOptions): ImageError {
  return new ImageError('InvalidLayer', `invalid layer: ${why}`, options);
}
