import { readdirSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import type { Metrics } from './metrics.ts';

/**
 * What Prometheus' own clients tell of every process, under the same names. The event loop's lag isn't among them: Node's
 * histogram of it wakes a process that has nothing to do a hundred times a second.
 */
export function measureProcess(metrics: Metrics): void {
  let scraped = performance.eventLoopUtilization();
  const gauges = {
    process_cpu_seconds_total: ['CPU time so far.', () => micros(process.cpuUsage()) / 1e6],
    process_resident_memory_bytes: ['Memory in use.', () => process.memoryUsage.rss()],
    process_open_fds: ['Open descriptors.', () => readdirSync('/proc/self/fd').length],
    nodejs_eventloop_utilization: [
      'Share of the time since the last scrape that the event loop was busy.',
      () => {
        const now = performance.eventLoopUtilization();
        const { utilization } = performance.eventLoopUtilization(now, scraped);
        scraped = now;
        return utilization;
      },
    ],
  } as const;
  for (const [name, [about, read]] of Object.entries(gauges)) metrics.gauge(name, about, { read });
}

const micros = ({ user, system }: NodeJS.CpuUsage) => user + system;
