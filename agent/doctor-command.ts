import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { systemClock } from '../base/clock.ts';
import { formatFlags, oneOf, parseFlags, text, UsageError, type ValuesOf } from '../base/flags.ts';
import { runCommand } from '../base/run-command.ts';
import { readAgentConfig } from './config.ts';
import * as checks from './doctor/checks.ts';
import { lookAround } from './doctor/look-around.ts';
import { insideWord, tryNetwork, tryNetworkInside } from './doctor/try-network.ts';
import { tryNode } from './doctor/try-node.ts';

export const doctorFlags = {
  role: oneOf('ROLE', ['agent', 'controller', 'both'], 'both'),
  'data-dir': text('DIR', 'where state is kept, or will be', '/var/lib/orc'),
  'pod-cidr': text('CIDR', "as the controllers'", '10.244.0.0/14'),
  'service-cidr': text('CIDR', "as the controllers'", '10.96.0.0/16'),
  output: oneOf('FORMAT', ['text', 'json'], 'text').short('o'),
};

const help = `orc doctor: says what this host lacks, and how to mend it

  sudo orc doctor                        before it becomes a node, or when something is odd
  orc doctor --role controller           a host that runs no pods

It tries things for real, in namespaces of their own, and changes nothing. A FAIL ends it with 1.

${formatFlags(doctorFlags)}`;

/** `orc doctor`. Gives the exit code. */
export function runDoctor(argv: readonly string[]): Promise<number> {
  return runCommand({ name: 'orc doctor', help, argv }, async () => {
    if (argv[0] === insideWord) return console.log(JSON.stringify(await tryNetworkInside()));
    const given = parseFlags(argv, doctorFlags);
    const found = await examine(given);
    const isJson = given.output === 'json';
    console.log(isJson ? JSON.stringify(found) : found.map(checks.formatFinding).join('\n'));
    return found.some(({ result }) => result === 'FAIL') ? 1 : 0;
  });
}

async function examine(given: ValuesOf<typeof doctorFlags>): Promise<readonly checks.Finding[]> {
  const { role, dataDir } = given;
  if (role !== 'controller' && process.getuid?.() !== 0)
    throw new UsageError('it tries what an agent does: run it as root (sudo)');
  // What has been this before has the ports: if another has, it says so itself.
  const isNew = (role: string) => !existsSync(join(dataDir, role, 'pki'));
  const node = role !== 'controller' && isNew('agent') ? [53, 6445] : [];
  const api = role !== 'agent' && isNew('controller') ? [6443, 6444] : [];
  const facts = await lookAround({
    path: nearestThere(dataDir),
    api: role === 'controller' ? undefined : ownApi(),
    clusterCidrs: [given.podCidr, given.serviceCidr],
    ports: [...node, ...api],
    nowMs: systemClock().now,
  });
  const host = checks.judge(checks.hostNeeds, checks.hostFaults(facts));
  if (role === 'controller') return host;
  const agent = checks.judge(checks.agentNeeds, await tryNode(nearestThere(dataDir)));
  return [...agent, ...checks.judge(checks.networkNeeds, await tryNetwork()), ...host];
}

const nearestThere = (path: string): string =>
  existsSync(path) ? path : nearestThere(dirname(path));

const agentFile = '/etc/orc/agent.yaml';

/** Of the first controller that this node knows, at the usual port. */
function ownApi(): string | undefined {
  if (!existsSync(agentFile)) return undefined;
  const [first = ''] = readAgentConfig(['--config', agentFile]).controller;
  return `https://${first.replace(/:\d+$/, '')}:6443`;
}
