/** Why the network port could not do something, and whether trying again later can help. */
const networkReasons = {
  NetworkNotReady: { retry: true, text: 'the node has no network table yet' },
  NoFreeAddress: { retry: true, text: "every address of the node's pod CIDR is taken" },
  InvalidTable: { retry: false, text: 'the network table makes no sense' },
  LinkFailed: { retry: true, text: "the pod's link could not be set up or removed" },
  RoutesFailed: { retry: true, text: 'a route to another node could not be set' },
  RulesFailed: { retry: true, text: 'the service rules could not be applied' },
  DnsFailed: { retry: true, text: "the node's DNS could not be served" },
  SysctlFailed: { retry: true, text: 'a kernel parameter could not be set' },
} as const satisfies Record<string, { retry: boolean; text: string }>;

export type NetworkReason = keyof typeof networkReasons;

export class NetworkError extends Error {
  override readonly name = 'NetworkError';
  readonly reason: NetworkReason;

  constructor(reason: NetworkReason, options: { detail?: string; cause?: unknown } = {}) {
    const { detail, cause } = options;
    super(networkReasons[reason].text + (detail ? ` (${detail})` : ''), { cause });
    this.reason = reason;
  }

  get retry(): boolean {
    return networkReasons[this.reason].retry;
  }
}
