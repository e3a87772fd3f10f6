import { readFile, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { Agent, request } from 'undici';
import type { JoinUse } from '../api/join.ts';
import { about } from '../base/error-chain.ts';
import { forwardPort } from './forward.ts';
import { keepRole, orcCommand, type Site, stateDirectory } from './roles.ts';
import type { VirtualHost } from './virtual-host.ts';

/**
 * One in each host, started again whenever it ends. The first makes the cluster, the others join it. Gives the flags
 * by which agents join.
 *
 * @param etcd its URLs; none: the embedded store, for one controller.
 */
export async function keepControllers(
  site: Site,
  hosts: readonly VirtualHost[],
  etcd: readonly string[],
): Promise<readonly string[]> {
  const [first, ...others] = hosts;
  if (!first) throw new TypeError('no host for a controller');
  const pki = join(site.dataDir, first.name, 'pki');
  const joiningAs = async (use: JoinUse) => {
    const token = await createJoinToken(pki, apiSocket(site, first), use);
    return ['--join', `https://${first.address}:6443`, '--token', token];
  };
  const store = etcd.flatMap((url) => ['--etcd', url]);
  await keepController(site, first, store);
  const keepOther = async (host: VirtualHost) =>
    keepController(site, host, [...store, ...(await joiningAs('controller'))]);
  await Promise.all(others.map(keepOther));
  const controllers = hosts.flatMap(({ address }) => ['--controller', `${address}:6444`]);
  return [...(await joiningAs('node')), ...controllers];
}

const apiSocket = ({ runDir }: Site, { name }: VirtualHost) => join(runDir, `${name}.sock`);

async function keepController(site: Site, host: VirtualHost, flags: readonly string[]) {
  const directory = await stateDirectory(site.dataDir, host);
  const command = orcCommand(
    'controller',
    ...['--data-dir', directory, '--api-socket', apiSocket(site, host)],
    ...['--log-level', site.logLevel],
    ...['--api-address', `${host.address}:6443`, '--agent-address', `${host.address}:6444`],
    ...['--server-name', '127.0.0.1', '--server-name', 'localhost'],
    ...flags,
  );
  await keepRole({ host, command }, site);
}

/**
 * The administrator's kubeconfigs, with ports of this machine: the one given leads to the first controller that
 * listens, and where there are several, `NAME.kubeconfig` to each.
 */
export async function forwardControllers(site: Site, hosts: readonly VirtualHost[]) {
  const { dataDir } = site;
  const admin = await readFile(join(dataDir, 'controller/admin.kubeconfig'), 'utf8');
  const forward = async (wanted: number, to: readonly VirtualHost[]) => {
    const sockets = to.map((host) => apiSocket(site, host));
    const setting = `--port ${wanted} (0 is any free one)`;
    const server = await about(setting, forwardPort(wanted, sockets));
    site.opened(server);
    const { port } = server.address() as AddressInfo;
    return { port, kubeconfig: admin.replace(/server: .*/, `server: https://127.0.0.1:${port}`) };
  };
  const all = await forward(site.port, hosts);
  if (hosts.length > 1)
    for (const host of hosts) {
      const { kubeconfig } = await forward(0, [host]);
      await writeFile(join(dataDir, `${host.name}.kubeconfig`), kubeconfig, { mode: 0o600 });
    }
  return all;
}

/** Asks the controller for a join token, as its administrator, over its unix socket. */
export async function createJoinToken(pkiDir: string, socketPath: string, use: JoinUse) {
  const [ca = '', cert = '', key = ''] = await Promise.all(
    ['ca.crt', 'admin.crt', 'admin.key'].map((file) => readFile(join(pkiDir, file), 'utf8')),
  );
  const dispatcher = new Agent({ connect: { socketPath, ca, cert, key, servername: 'localhost' } });
  const headers = { 'content-type': 'application/json' };
  const wanted = { dispatcher, method: 'POST', headers, body: JSON.stringify({ use }) } as const;
  try {
    const { body } = await request('https://localhost/orc/v1/tokens', wanted);
    const answer = await body.text();
    const { token, message } = JSON.parse(answer) as { token?: string; message?: string };
    if (token === undefined) throw new Error(`making a join token: ${message ?? answer}`);
    return token;
  } finally {
    await dispatcher.destroy();
  }
}
