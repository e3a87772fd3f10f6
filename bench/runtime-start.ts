import type { ContainerSpec } from '../agent/ports.ts';
import { sandboxSpec } from '../test/contract/sandbox-port.contract.ts';
import { openRuntimeHost } from '../test/support/runtime-host.ts';

/** Milliseconds from nothing to a running container, in its two steps, and back; medians. As root: node bench/runtime-start.ts */
const rounds = 50;
const { signal } = new AbortController();
const times: Record<'sandbox' | 'container' | 'exec' | 'remove', number[]> = {
  sandbox: [],
  container: [],
  exec: [],
  remove: [],
};

const host = await openRuntimeHost();
try {
  for (let i = 0; i <= rounds; i++) await round(`pod${i}`);
} finally {
  await host.end();
}
for (const [step, all] of Object.entries(times)) {
  const sorted = all.slice(1).toSorted((a, b) => a - b);
  const at = (part: number) => sorted[Math.floor(sorted.length * part)]?.toFixed(1);
  console.log(`${step}: median ${at(0.5)} ms, p10 ${at(0.1)}, p90 ${at(0.9)}`);
}

async function round(uid: string): Promise<void> {
  const { sandboxes, containers } = host.runtime;
  const id = { uid, name: 'web', attempt: 0 };
  const logPath = `${host.dir}/logs/default_pod_${uid}/web/0.log`;
  const spec: ContainerSpec = host.spec('', { id, logPath, command: ['sleep', '1000'] });
  await timed('sandbox', () => sandboxes.ensure(sandboxSpec(uid), signal));
  await timed('container', () => containers.start(spec, signal));
  await timed('exec', async () => {
    const request = { command: ['true'], stdin: false, terminal: undefined };
    await (await containers.exec(id, request)).exited;
  });
  await timed('remove', () => sandboxes.remove(uid));
}

async function timed(step: keyof typeof times, act: () => Promise<unknown>): Promise<void> {
  const start = performance.now();
  await act();
  times[step].push(performance.now() - start);
}
