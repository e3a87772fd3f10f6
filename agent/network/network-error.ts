import { ReasonError } from '../../base/reason-error.ts';

/** Why the network port could not do something. */
const networkReasons = {
  NetworkNotReady: 'the node has no network table yet',
  NoFreeAddress: "every address of the node's pod CIDR is taken",
  InvalidTable: 'the network table makes no sense',
  LinkFailed: "the pod's link could not be set up or removed",
  RoutesFailed: 'a route to another node could not be set',
  RulesFailed: 'the service rules could not be applied',
  DnsFailed: "the node's DNS could not be served",
  SysctlFailed: 'a kernel parameter could not be set',
} as const;

export type NetworkReason = keyof typeof networkReasons;

export class NetworkError extends ReasonError<NetworkReason> {
  override readonly name = 'NetworkError';

  constructor(reason: NetworkReason, options: { detail?: string; cause?: unknown } = {}) {
    const { detail, cause } = options;
    super(reason, networkReasons[reason] + (detail ? ` (${detail})` : ''), { cause });
  }
}
