import { ReasonError } from '../../base/reason-error.ts';

/** Why a configuration can't be followed: it is wrong, orc doesn't do this, or this machine's kernel doesn't. */
type OciErrorReason = 'invalid' | 'unsupported' | 'missing in this kernel';

/** Names the field of config.json, as "linux.sysctl[kernel.hostname]". */
export class OciError extends ReasonError<OciErrorReason> {
  override readonly name = 'OciError';
  readonly field: string;
  constructor(field: string, reason: OciErrorReason, why: string) {
    super(reason, `${field}: ${why}`);
    this.field = field;
  }
}
