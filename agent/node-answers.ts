import type { Clock } from '../base/clock.ts';
import { withDeadline } from '../base/deadline.ts';
import type { Metrics } from '../base/metrics.ts';
import type { NodePorts } from './ports.ts';
import type { StatusSource } from './session/session-options.ts';
import { SessionError, type SessionHandlers } from './session/session-options.ts';

const healthDeadlineMs = 5000;

/** What this node tells of itself: its metrics, and whether its runtime answers. */
export function nodeAnswers(from: {
  readonly metrics: Metrics;
  readonly ports: NodePorts;
  readonly clock: Clock;
}): SessionHandlers['query'] {
  const { metrics, ports, clock } = from;
  return async (what) => {
    if (what === 'metrics') return metrics.text();
    if (what !== 'healthz')
      throw new SessionError('NotFound', `this node has nothing to say about "${what}"`);
    const limit = { clock, ms: healthDeadlineMs, what: 'asking the runtime' };
    await withDeadline(limit, () => ports.sandboxes.list());
    return 'ok';
  };
}

const phases = ['Pending', 'Running', 'Succeeded', 'Failed'] as const;

export function measurePods(metrics: Metrics, { statuses }: Pick<StatusSource, 'statuses'>): void {
  for (const phase of phases) {
    const read = () =>
      [...statuses().values()].filter(({ status }) => status.phase === phase).length;
    metrics.gauge('orc_pods', 'Pods of this node.', { labels: { phase }, read });
  }
}
