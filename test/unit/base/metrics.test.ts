import { expect, it } from 'vitest';
import { openMetrics } from '../../../base/metrics.ts';

it('writes what Prometheus reads: counters add up, gauges are read when asked', () => {
  const metrics = openMetrics();
  let waiting = 1;
  metrics.count('requests_total', 'Requests.', { verb: 'get', path: 'a"b\\c\nd' });
  metrics.count('requests_total', 'Requests.', { verb: 'get', path: 'a"b\\c\nd' });
  metrics.count('requests_total', 'Requests.');
  metrics.gauge('waiting', 'Keys.', { read: () => waiting });
  metrics.gauge('writes_total', 'Writes.', { read: () => 7 });
  waiting = 2;
  expect(metrics.text()).toBe(`# HELP requests_total Requests.
# TYPE requests_total counter
requests_total{verb="get",path="a\\"b\\\\c\\nd"} 2
requests_total 1
# HELP waiting Keys.
# TYPE waiting gauge
waiting 2
# HELP writes_total Writes.
# TYPE writes_total counter
writes_total 7
`);
});

it('puts durations into every bucket that is wide enough', () => {
  const metrics = openMetrics();
  for (const seconds of [0.01, 0.4, 100])
    metrics.observe('took_seconds', 'Time.', { labels: { verb: 'get' }, seconds });
  const lines = metrics.text().split('\n').slice(2, -1);
  expect(lines.map((line) => line.replace('verb="get"', ''))).toEqual([
    ...['0.005"} 0', '0.025"} 1', '0.1"} 1', '0.5"} 2', '1"} 2', '5"} 2', '30"} 2', '+Inf"} 3'].map(
      (rest) => `took_seconds_bucket{,le="${rest}`,
    ),
    'took_seconds_sum{} 100.41',
    'took_seconds_count{} 3',
  ]);
});

it('replaces the reader of a gauge that is named again, as after an election', () => {
  const metrics = openMetrics();
  for (const value of [1, 0]) metrics.gauge('leading', 'Leads.', { read: () => value });
  expect(
    metrics
      .text()
      .split('\n')
      .filter((line) => line.startsWith('leading')),
  ).toEqual(['leading 0']);
});
