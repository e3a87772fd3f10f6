import { readFileSync } from 'node:fs';
import { arch, availableParallelism, release, totalmem } from 'node:os';
import packageJson from '../package.json' with { type: 'json' };
import type { NodeFacts } from './session/session-options.ts';

/** Of a /22 of addresses, less network, gateway and broadcast; and what one agent is meant to look after. */
const maxPods = 500;

/** What this machine is and has, for its Node object. Read anew at each connection. */
export const nodeFacts = (of: {
  readonly addresses: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly runtimes: object;
}): NodeFacts => ({
  bootId: firstLine('/proc/sys/kernel/random/boot_id'),
  agentVersion: packageJson.version,
  addresses: [...of.addresses],
  capacity: {
    cpu: String(availableParallelism()),
    memory: `${Math.floor(totalmem() / 1024)}Ki`,
    pods: String(maxPods),
  },
  system: {
    machineId: firstLine('/etc/machine-id'),
    systemUuid: firstLine('/sys/class/dmi/id/product_uuid'),
    kernelVersion: release(),
    osImage: /^PRETTY_NAME="?([^"\n]*)/m.exec(contents('/etc/os-release'))?.[1] ?? 'Linux',
    operatingSystem: 'linux',
    architecture: arch() === 'x64' ? 'amd64' : arch(),
    containerRuntimeVersion: `orc://${packageJson.version}`,
  },
  labels: { ...of.labels },
  runtimeHandlers: ['', ...Object.keys(of.runtimes)],
});

const firstLine = (path: string): string => contents(path).split('\n')[0] ?? '';

/** "" where there is no such file: not every machine has them all. */
function contents(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
