import { rm } from 'node:fs/promises';
import { hostname } from 'node:os';
import type { TLSSocket } from 'node:tls';
import { kinds } from '../api/kinds.ts';
import { Node } from '../api/node.ts';
import type { Base } from '../base/base.ts';
import { systemClock } from '../base/clock.ts';
import { writeFileDurably } from '../base/durable-file.ts';
import { about } from '../base/error-chain.ts';
import { lockDirectory } from '../base/lock-directory.ts';
import { openLog } from '../base/log.ts';
import { type Metrics, openMetrics } from '../base/metrics.ts';
import { publicKeyHash } from '../base/pinned-https.ts';
import { measureProcess } from '../base/process-metrics.ts';
import { systemRng } from '../base/rng.ts';
import { runCommand } from '../base/run-command.ts';
import { openService } from '../base/service.ts';
import { terminated } from '../base/termination.ts';
import { type RunningApiServer, serveApi } from './apiserver/api-server.ts';
import { serviceAccountTokens } from './apiserver/service-account-tokens.ts';
import { authenticate } from './auth/authenticate.ts';
import * as controllerKeys from './auth/controller-keys.ts';
import { joinRoutes } from './auth/join.ts';
import { joinTokens } from './auth/join-tokens.ts';
import type { KeyPair } from './auth/key-pair.ts';
import { formatKubeconfig } from './auth/kubeconfig.ts';
import { ensureLeaf, keepRenewed } from './auth/leaf-certificates.ts';
import { openPki, type Pki } from './auth/pki.ts';
import { tokenRoutes } from './auth/token-routes.ts';
import { backupRoutes } from './backup.ts';
import { type ControllerConfig, controllerHelp, pathsOf, readControllerConfig } from './config.ts';
import { controllerLoops } from './controllers/controller-loops.ts';
import { ensureFirstObjects } from './controllers/first-objects.ts';
import { type Dispatcher, openDispatcher } from './dispatcher/dispatcher.ts';
import { lead } from './lead.ts';
import { standForElection } from './leader/election.ts';
import type { Term } from './leader/term.ts';
import { openStore } from './open-store.ts';
import { schedulerLoop } from './scheduler/scheduler.ts';
import { sharedIndexes } from './store/indexes.ts';
import { startCache } from './store/object-cache.ts';
import { objectCodec } from './store/object-codec.ts';
import { openObjects } from './store/object-store.ts';
import type { Cache, TiedObjects } from './store/objects.ts';
import { secretBox } from './store/secret-box.ts';
import type { Store } from './store/store.ts';
import { openUsageBoard, type UsageBoard } from './usage-board.ts';

/** `orc controller`: runs until SIGTERM or SIGINT. Gives the exit code. */
export const runController = (argv: readonly string[]): Promise<number> =>
  runCommand({ name: 'orc controller', help: controllerHelp, argv }, async () => {
    const config = readControllerConfig(argv);
    await using controller = await startController(config);
    const ended = Promise.race([terminated(), controller.failed]);
    console.log(`orc controller: ready at https://${config.api.host}:${config.api.port}`);
    await ended;
  });

/** Disposing it stops everything, and so does a start that fails half-way: last started, first stopped. */
interface Running extends AsyncDisposable {
  /** Rejects when the store can't go on: only a new process opens it again. */
  readonly failed: Promise<never>;
}

async function startController(config: ControllerConfig): Promise<Running> {
  const clock = systemClock();
  const rng = systemRng();
  const load = async () => (await import('../native/systemd.ts')).openSystemd();
  const service = await openService('orc-controller', config.service, { clock, load });
  const log = openLog(config.logLevel, service.logSink);
  const metrics = openMetrics();
  const usage = openUsageBoard(clock);
  const base = { clock, rng, log };
  await using started = new AsyncDisposableStack();

  started.use(await about(`--data-dir ${config.dataDir}`, lockDirectory(config.dataDir, 'ledger')));
  const paths = pathsOf(config.dataDir);
  if (config.join) await controllerKeys.joinControllers(config.join, paths);
  const { store, failed, isShared, silenceMs } = await openStore(config, base);
  started.defer(() => store.close());
  const storeKey = await controllerKeys.ensureStoreKey(paths.storeKey, store, rng);
  const codec = objectCodec(secretBox(storeKey, rng));
  const objects = openObjects({ store, codec, clock, rng });
  const { loops, indexes } = controllerLoops();
  const { cache, stop: stopCache } = await startCache({
    ...{ store, codec, kinds, ...base },
    indexes: [...indexes, ...sharedIndexes],
  });
  started.defer(stopCache);
  await ensureFirstObjects(objects);

  const { serverNames, network, nodeGraceMs } = config;
  const pki = await openPki({ dir: paths.pki, serverNames, clock, rng });
  await controllerKeys.checkAuthority(store, publicKeyHash(pki.ca.certificate));
  const dispatcher = openDispatcher({
    ...{ cache, network, usage, nodeGraceMs, identity: pki.identity, ...base },
    signNode: (csr, nodeName) => pki.ca.signNode(csr, nodeName),
  });
  started.defer(() => dispatcher.stop());
  const parts: Parts = { config, store, objects, cache, dispatcher, pki, usage, metrics, ...base };
  const api = await about(`--api-address ${config.api.host}:${config.api.port}`, openApi(parts));
  started.defer(() => api.close());
  const { host, port } = config.agents;
  await about(`--agent-address ${host}:${port}`, dispatcher.listen(config.agents));
  started.use(await keepCertificates(parts, api));
  const candidate = hostname();
  let term: Term | undefined;
  const leading = { store, codec, cache, dispatcher, candidate, metrics, ...base };
  started.defer(
    standForElection({
      ...{ store, candidate, isAlone: !isShared, silenceMs, ...base },
      lead: (begun) => lead({ ...leading, loops: [...loops, schedulerLoop] }, (term = begun)),
    }),
  );
  measureController(parts);
  const nodes = () => `${dispatcher.connected()} of ${cache.list(Node).length} nodes connected`;
  started.defer(
    service.ready({
      status: () => `${term?.holds() ? 'leads' : 'follows'}; ${nodes()}`,
      // etcd may be away without this process being at fault.
      isAlive: async () => isShared || store.get('/'),
    }),
  );
  const all = started.move();
  return { failed, [Symbol.asyncDispose]: () => all.disposeAsync() };
}

/** What the parts of a running controller know of one another. */
interface Parts extends Base {
  readonly config: ControllerConfig;
  readonly store: Store;
  readonly objects: TiedObjects;
  readonly cache: Cache;
  readonly dispatcher: Dispatcher;
  readonly pki: Pki;
  readonly usage: UsageBoard;
  readonly metrics: Metrics;
}

function measureController({ metrics, cache, dispatcher: { connected } }: Parts): void {
  measureProcess(metrics);
  metrics.gauge('orc_store_revisions_total', 'Writes to the store.', {
    read: () => cache.revision,
  });
  const about = 'Agents with a link to this controller.';
  metrics.gauge('orc_agents_connected', about, { read: connected });
}

/** Listeners take up renewed certificates as they are, people by the kubeconfig. */
async function keepCertificates(parts: Parts, api: RunningApiServer) {
  const { config, pki, dispatcher, log } = parts;
  const kept = new AsyncDisposableStack();
  const onServerRenewed = (pair: KeyPair) => {
    const identity = { ...pair, ca: pki.ca.certificate };
    dispatcher.renewIdentity(identity);
    api.setTls(tlsOf(identity));
  };
  const onAdminRenewed = (pair: KeyPair) => writeKubeconfig(config, pki, pair);
  await onAdminRenewed(await ensureLeaf(pki.adminLeaf));
  kept.defer(keepRenewed({ leaf: pki.serverLeaf, log, onRenewed: onServerRenewed }));
  kept.defer(keepRenewed({ leaf: pki.adminLeaf, log, onRenewed: onAdminRenewed }));
  return kept;
}

const tlsOf = ({ key, certificate, ca }: Pki['identity']) => ({ key, cert: certificate, ca });

async function openApi(parts: Parts): Promise<RunningApiServer> {
  const { config, store, dispatcher, pki, clock, rng, log, ...rest } = parts;
  const tokens = joinTokens({ store, caHash: publicKeyHash(pki.ca.certificate), clock, rng });
  // What a killed predecessor left would be "address in use".
  if (config.apiSocket !== undefined) await rm(config.apiSocket, { force: true });
  const keys = () => controllerKeys.readControllerKeys(pathsOf(config.dataDir));
  const isNode = (name: string) => rest.cache.get(Node, { namespace: '', name }) !== undefined;
  const plugins = [
    joinRoutes({ ca: pki.ca, keys, tokens, isNode, log }),
    tokenRoutes(tokens),
    backupRoutes(store, keys),
  ];
  return serveApi(
    {
      ...{ clock, rng, log, plugins, ...rest },
      currentRevision: () => store.revision(),
      readStore: () => store.get('/'),
      authenticate: (request) => authenticate(request.socket as TLSSocket),
      tokens: serviceAccountTokens({ key: pki.ca.tokenKey, cache: rest.cache, clock, rng }),
      podAccess: dispatcher.podAccess,
      serviceCidr: config.network.serviceCidr,
      requestLimits: {
        readOnly: config.maxRequestsInflight,
        mutating: config.maxMutatingRequestsInflight,
      },
    },
    {
      tls: tlsOf(pki.identity),
      listeners: [
        config.api,
        ...(config.apiSocket === undefined ? [] : [{ path: config.apiSocket }]),
      ],
    },
  );
}

async function writeKubeconfig(config: ControllerConfig, { ca }: Pki, client: KeyPair) {
  const { host, port } = config.api;
  const server = `https://${host === '0.0.0.0' ? '127.0.0.1' : host}:${port}`;
  await writeFileDurably({
    path: pathsOf(config.dataDir).kubeconfig,
    bytes: formatKubeconfig({ server, ca: ca.certificate, client }),
    mode: 0o600,
  });
}
