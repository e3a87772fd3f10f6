import { readdirSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { Metrics } from './metrics.ts';

/** What Prometheus' own clients tell of every process, under the same names. */
export function measureProcess(metrics: Metrics): void {
  const delay = monitorEventLoopDelay();
  delay.enable();
  const gauges = {
    process_cpu_seconds_total: ['CPU time so far.', () => micros(process.cpuUsage()) / 1e6],
    process_resident_memory_bytes: ['Memory in use.', () => process.memoryUsage.rss()],
    process_open_fds: ['Open descriptors.', () => readdirSync('/proc/self/fd').length],
    nodejs_eventloop_lag_max_seconds: [
      'Longest stall of the event loop since the last scrape.',
      () => {
        const longest = delay.max / 1e9;
        delay.reset();
        return longest;
      },
    ],
  } as const;
  for (const [name, [about, read]] of Object.entries(gauges)) metrics.gauge(name, about, { read });
}

const micros = ({ user, system }: NodeJS.CpuUsage) => user + system;
