import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { systemClock } from '../../base/clock.ts';
import { systemRng } from '../../base/rng.ts';
import {
  type RunningApiServer,
  serveApi,
  type TlsFiles,
} from '../../controller/apiserver/api-server.ts';
import { authenticate } from '../../controller/auth/authenticate.ts';
import { type CertificateAuthority, openCa } from '../../controller/auth/ca.ts';
import { formatKubeconfig } from '../../controller/auth/kubeconfig.ts';
import { type ApiWorld, type ApiWorldOptions, openApiWorld } from './api-server.ts';

/** An API server on a port of its own, and a kubeconfig file for its administrator. */
export interface TlsWorld extends ApiWorld {
  readonly api: RunningApiServer;
  readonly ca: CertificateAuthority;
  readonly tls: TlsFiles;
  readonly port: number;
  readonly dir: string;
  readonly kubeconfig: string;
  /** Once `api` is closed: the same at the same port, as a controller that was started again. */
  reopen(): Promise<RunningApiServer>;
}

export interface TlsWorldOptions extends ApiWorldOptions {
  /** Of a world before, which is to be gone on with; its maker removes it. */
  readonly dir?: string;
  readonly port?: number;
}

export async function openTlsWorld(options: TlsWorldOptions = {}): Promise<TlsWorld> {
  const dir = options.dir ?? (await mkdtemp(join(tmpdir(), 'orc-api-')));
  const ca = await openCa({ dir: join(dir, 'pki'), clock: systemClock(), rng: systemRng() });
  const serving = await ca.issue({ use: 'server', name: 'orc', hosts: ['127.0.0.1'] });
  const client = await ca.issue({ use: 'client', name: 'admin', groups: ['system:masters'] });
  const world = await openApiWorld({
    authenticate: ({ socket }) => authenticate(socket as TLSSocket),
    ...options,
  });
  const tls = { key: serving.key, cert: serving.certificate, ca: ca.certificate };
  const serve = (port: number) =>
    serveApi(world.deps, { tls, listeners: [{ host: '127.0.0.1', port }] });
  const api = await serve(options.port ?? 0);
  const port = api.ports[0] ?? 0;
  const kubeconfig = join(dir, 'kubeconfig');
  const server = `https://127.0.0.1:${port}`;
  await writeFile(kubeconfig, formatKubeconfig({ server, ca: ca.certificate, client }));
  const close = async () => {
    await api.close();
    await world.close();
    if (options.dir === undefined) await rm(dir, { recursive: true, force: true });
  };
  return { ...world, api, ca, tls, port, dir, kubeconfig, reopen: () => serve(port), close };
}
