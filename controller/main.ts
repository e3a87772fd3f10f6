import { readFile, rm } from 'node:fs/promises';
import type { TLSSocket } from 'node:tls';
import { kinds } from '../api/kinds.ts';
import { type Clock, systemClock } from '../base/clock.ts';
import { readIfPresent, writeFileDurably } from '../base/durable-file.ts';
import { errorChain } from '../base/error-chain.ts';
import { UsageError } from '../base/flags.ts';
import { type Log, openLog } from '../base/log.ts';
import { type Rng, systemRng } from '../base/rng.ts';
import { type RunningApiServer, serveApi } from './apiserver/api-server.ts';
import { authenticate } from './auth/authenticate.ts';
import { type CertificateAuthority, openCa } from './auth/ca.ts';
import { joinRoutes } from './auth/join.ts';
import { joinTokens } from './auth/join-tokens.ts';
import { publicKeyHash } from './auth/key-pair.ts';
import { formatKubeconfig } from './auth/kubeconfig.ts';
import { ensureLeaf, keepRenewed, type LeafOptions } from './auth/leaf-certificates.ts';
import { tokenRoutes } from './auth/token-routes.ts';
import { type ControllerConfig, controllerHelp, pathsOf, readControllerConfig } from './config.ts';
import { controllerLoops } from './controllers/controller-loops.ts';
import { ensureFirstNamespaces } from './controllers/namespace.ts';
import { type Dispatcher, openDispatcher } from './dispatcher/dispatcher.ts';
import { takeFence } from './dispatcher/fence.ts';
import { schedulerLoop } from './scheduler/scheduler.ts';
import type { Cache } from './store/cache.ts';
import { keepCompacted } from './store/compaction.ts';
import { eventRecorder } from './store/event-recorder.ts';
import { sharedIndexes } from './store/indexes.ts';
import { startCache } from './store/object-cache.ts';
import { objectCodec } from './store/object-codec.ts';
import { openObjects } from './store/object-store.ts';
import type { Objects } from './store/objects.ts';
import { runLoops } from './store/run-loops.ts';
import { secretBox } from './store/secret-box.ts';
import { openSqliteStore } from './store/sqlite-store.ts';
import type { Store } from './store/store.ts';

/** `orc controller`: runs until SIGTERM or SIGINT. Gives the exit code. */
export async function runController(argv: readonly string[]): Promise<number> {
  if (argv.includes('--help') || argv.includes('-h')) {
    console.log(controllerHelp);
    return 0;
  }
  try {
    const config = readControllerConfig(argv);
    const controller = await startController(config);
    console.log(`orc controller: ready at https://${config.api.host}:${config.api.port}`);
    await terminated();
    await controller.stop();
    return 0;
  } catch (error) {
    console.error(`orc controller: ${errorChain(error)}`);
    return error instanceof UsageError ? 2 : 1;
  }
}

interface Running {
  /** Last started, first stopped. */
  stop(): Promise<void>;
}

async function startController(config: ControllerConfig): Promise<Running> {
  const clock = systemClock();
  const rng = systemRng();
  const log = openLog(config.logLevel);
  const paths = pathsOf(config.dataDir);
  const base = { clock, rng, log };

  const store = await openSqliteStore({ path: paths.store, ...base });
  const stopCompaction = keepCompacted(store, clock, log);
  const codec = objectCodec(secretBox(await storeKey(paths.storeKey, rng), rng));
  const objects = openObjects({ store, codec, clock, rng });
  const { loops, indexes } = controllerLoops(kinds);
  const allIndexes = [...indexes, ...sharedIndexes];
  const { cache, stop: stopCache } = await startCache({
    store,
    codec,
    kinds,
    indexes: allIndexes,
    ...base,
  });
  const recordEvent = eventRecorder({ objects, cache, clock, log });

  const pki = await openPki(config, base);
  const dispatcher = openDispatcher({
    ...{ objects, cache, recordEvent, ...base },
    identity: pki.server(),
    epoch: await takeFence(store),
    network: config.network,
    signNode: (csr, nodeName) => pki.ca.signNode(csr, nodeName),
  });
  const api = await openApi({ config, store, objects, cache, dispatcher, pki, ...base });
  await dispatcher.listen(config.agents);
  const stopRenewals = pki.keepServerRenewed((identity) => {
    dispatcher.renewIdentity(identity);
    api.setTls(tlsOf(identity));
  });
  await writeFileDurably({
    path: paths.kubeconfig,
    bytes: await adminKubeconfig(config, pki),
    mode: 0o600,
  });
  await ensureFirstNamespaces(objects);
  const running = runLoops([...loops, schedulerLoop], {
    objects,
    cache,
    kinds,
    recordEvent,
    ...base,
  });
  return {
    async stop() {
      await running.stop();
      stopRenewals();
      await api.close();
      await dispatcher.stop();
      await stopCache();
      stopCompaction();
      await store.close();
    },
  };
}

interface Base {
  readonly clock: Clock;
  readonly rng: Rng;
  readonly log: Log;
}

interface Pki {
  readonly ca: CertificateAuthority;
  server(): ServerIdentity;
  keepServerRenewed(onRenewed: (identity: ServerIdentity) => void): () => void;
  admin(): Promise<{ readonly key: string; readonly certificate: string }>;
}

interface ServerIdentity {
  readonly key: string;
  readonly certificate: string;
  readonly ca: string;
}

async function openPki(config: ControllerConfig, { clock, rng, log }: Base): Promise<Pki> {
  const dir = pathsOf(config.dataDir).pki;
  const ca = await openCa({ dir, clock, rng });
  const leaf: LeafOptions = {
    ...{ ca, dir, clock, file: 'server' },
    subject: { use: 'server', name: 'orc-controller', hosts: config.serverNames },
  };
  let pair = await ensureLeaf(leaf);
  const identity = () => ({ ...pair, ca: ca.certificate });
  const admin: LeafOptions = {
    ...{ ca, dir, clock, file: 'admin' },
    subject: { use: 'client', name: 'admin', groups: ['system:masters'] },
  };
  return {
    ca,
    server: identity,
    keepServerRenewed: (onRenewed) =>
      keepRenewed({
        leaf,
        log,
        onRenewed(next) {
          pair = next;
          onRenewed(identity());
        },
      }),
    admin: () => ensureLeaf(admin),
  };
}

const tlsOf = ({ key, certificate, ca }: ServerIdentity) => ({ key, cert: certificate, ca });

async function openApi(
  parts: Base & {
    readonly config: ControllerConfig;
    readonly store: Store;
    readonly objects: Objects;
    readonly cache: Cache;
    readonly dispatcher: Dispatcher;
    readonly pki: Pki;
  },
): Promise<RunningApiServer> {
  const { config, store, objects, cache, dispatcher, pki, clock, rng, log } = parts;
  const tokens = joinTokens({ store, caHash: publicKeyHash(pki.ca.certificate), clock, rng });
  // What a killed predecessor left would be "address in use".
  if (config.apiSocket !== undefined) await rm(config.apiSocket, { force: true });
  const plugins = [joinRoutes({ ca: pki.ca, tokens, log }), tokenRoutes(tokens)];
  return serveApi(
    {
      ...{ kinds, objects, cache, clock, rng, log, plugins },
      currentRevision: () => store.revision(),
      authenticate: (request) => authenticate(request.socket as TLSSocket),
      podAccess: dispatcher.podAccess,
      serviceCidr: config.network.serviceCidr,
    },
    {
      tls: tlsOf(pki.server()),
      listeners: [
        config.api,
        ...(config.apiSocket === undefined ? [] : [{ path: config.apiSocket }]),
      ],
    },
  );
}

async function adminKubeconfig({ api }: ControllerConfig, pki: Pki): Promise<string> {
  const host = api.host === '0.0.0.0' ? '127.0.0.1' : api.host;
  const client = await pki.admin();
  return formatKubeconfig({
    server: `https://${host}:${api.port}`,
    ca: pki.ca.certificate,
    client,
  });
}

const storeKeyBytes = 32;

/** The key that Secrets are sealed with: made once, kept beside the store and never in it. */
async function storeKey(path: string, rng: Rng): Promise<Uint8Array> {
  const stored = await readIfPresent(readFile(path));
  if (stored) return stored;
  const bytes = rng.bytes(storeKeyBytes);
  await writeFileDurably({ path, bytes, mode: 0o600 });
  return bytes;
}

function terminated(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve());
  });
}
