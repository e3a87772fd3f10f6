/** Why a configuration can't be followed: it is wrong, orc doesn't do this, or this machine's kernel doesn't. */
type OciErrorReason = 'invalid' | 'unsupported' | 'missing in this kernel';

/** Names the field of config.json, as "linux.sysctl[kernel.hostname]". */
export class OciError extends Error {
  override readonly name = 'OciError';
  readonly field: string;
  readonly reason: OciErrorReason;
  constructor(field: string, reason: OciErrorReason, why: string, options?: ErrorOptions) {
    super(`${field}: ${why}`, options);
    this.field = field;
    this.reason = reason;
  }
}
