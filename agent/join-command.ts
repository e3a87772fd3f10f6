import { execFile } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { type Clock, sleep, systemClock } from '../base/clock.ts';
import { formatConfig } from '../base/config-file.ts';
import { writeFileDurably } from '../base/durable-file.ts';
import { formatFlags, splitFlags, text, UsageError } from '../base/flags.ts';
import { runCommand } from '../base/run-command.ts';
import { agentFlags, readAgentConfig } from './config.ts';
import { joinCluster, readIdentity } from './session/node-identity.ts';

const { config: _config, join: _join, token: _token, ...settings } = agentFlags;
const defaultPath = '/etc/orc/agent.yaml';
const flags = { config: text('FILE', 'to be written', defaultPath), ...settings };

const help = `orc agent join URL TOKEN: makes this machine a node of a cluster, from now on

  sudo orc agent join https://10.0.0.1:6443 TOKEN     as \`orc token create\` prints it

What is not given is found: the address is the one from which the URL is reached, the controller for
the agent is the URL's host. All of it is written to ${defaultPath}; then systemd starts
orc-agent now and at each boot.

${formatFlags(flags)}`;

/** `orc agent join`. Gives the exit code. */
export function runJoin(argv: readonly string[]): Promise<number> {
  return runCommand({ name: 'orc agent join', help, argv }, async () => {
    const path = await joinThisMachine(argv);
    if (!existsSync('/run/systemd/system'))
      return console.log(`joined; there is no systemd here: now run orc agent --config ${path}`);
    await startUnit();
    console.log(await untilConnected(systemClock()));
  });
}

/** Joins first, so that nothing is written for a token that is refused. Gives the path of the configuration. */
async function joinThisMachine(argv: readonly string[]): Promise<string> {
  const { given, words } = splitFlags(argv, flags);
  const [server, token, ...more] = words;
  if (server === undefined || token === undefined || more.length > 0)
    throw new UsageError('give the URL of a controller and a token: orc agent join URL TOKEN');
  const { hostname, port } = parseUrl(server);
  const { config: [path = defaultPath] = [], ...rest } = given;
  const complete = {
    controller: [`${hostname}:${agentPort}`],
    address: rest.address ?? [await ownAddressTowards(hostname, Number(port || 443))],
    ...rest,
  };
  const asArguments = Object.entries(complete).flatMap(
    ([name, texts]) => texts?.flatMap((value) => [`--${name}`, value]) ?? [],
  );
  const { nodeName, dataDir } = readAgentConfig(asArguments);
  const dir = join(dataDir, 'pki');
  if (existsSync(path) || (await readIdentity(dir)))
    throw new UsageError('this machine has joined a cluster already; orc reset makes it leave');
  await joinCluster({ server, token, nodeName, dir });
  const bytes = formatConfig({ 'node-name': [nodeName], ...complete }, flags);
  await mkdir(dirname(path), { recursive: true });
  await writeFileDurably({ path, bytes, mode: 0o644 });
  return path;
}

/** Where a controller serves agents unless told otherwise. */
const agentPort = 6444;

function parseUrl(server: string): URL {
  const url = URL.canParse(server) ? new URL(server) : undefined;
  if (url?.protocol === 'https:') return url;
  throw new UsageError(`the URL must be https://HOST:PORT, not ${server}`);
}

/** The kernel chooses it; a datagram socket sends nothing for that. */
async function ownAddressTowards(host: string, port: number): Promise<string> {
  const socket = createSocket('udp4');
  try {
    socket.connect(port, host);
    await once(socket, 'connect');
    const { address } = socket.address();
    if (!address.startsWith('127.')) return address;
  } catch (cause) {
    throw new Error(`${host} can't be reached from here`, { cause });
  } finally {
    socket.close();
  }
  throw new UsageError(
    `other nodes can't reach this one at ${host}: give --address, or another URL`,
  );
}

const run = promisify(execFile);
const unit = 'orc-agent.service';

async function startUnit(): Promise<void> {
  try {
    await run('systemctl', ['enable', '--quiet', '--now', unit]);
  } catch (cause) {
    throw new Error(`joined, but ${unit} does not start; see: journalctl -u orc-agent`, { cause });
  }
}

const connectDeadlineMs = 120_000;

/** The agent says in its status when the leader has welcomed it: then the node is Ready. */
async function untilConnected(clock: Clock): Promise<string> {
  const deadline = clock.monotonic() + connectDeadlineMs;
  for (;;) {
    const { stdout } = await run('systemctl', ['show', '--value', '-p', 'StatusText', unit]);
    if (stdout.includes('connected to the leader')) return `joined; ${unit} runs: ${stdout.trim()}`;
    if (clock.monotonic() > deadline)
      throw new Error(`joined, but not Ready: ${stdout.trim()}; see: journalctl -u orc-agent`);
    await sleep(clock, 250);
  }
}
