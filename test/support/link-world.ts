import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Ledger } from '../../agent/ledger/assignment.ts';
import { openLedger } from '../../agent/ledger/disk-ledger.ts';
import { newCertificateRequest } from '../../agent/session/certificate-request.ts';
import type { NodeIdentity } from '../../agent/session/node-identity.ts';
import { type Session, startSession } from '../../agent/session/session.ts';
import type {
  NodeFacts,
  ReportedStatus,
  StatusSource,
} from '../../agent/session/session-options.ts';
import { SessionError, type SessionHandlers } from '../../agent/session/session-options.ts';
import { kinds } from '../../api/kinds.ts';
import { systemClock } from '../../base/clock.ts';
import { silentLog } from '../../base/log.ts';
import { systemRng } from '../../base/rng.ts';
import { type CertificateAuthority, controllerSubject, openCa } from '../../controller/auth/ca.ts';
import { type Dispatcher, openDispatcher } from '../../controller/dispatcher/dispatcher.ts';
import type { Happening } from '../../controller/store/event-recorder.ts';
import { sharedIndexes } from '../../controller/store/indexes.ts';
import { startCache } from '../../controller/store/object-cache.ts';
import { objectCodec } from '../../controller/store/object-codec.ts';
import { openObjects } from '../../controller/store/object-store.ts';
import type { Cache, Objects } from '../../controller/store/objects.ts';
import { secretBox } from '../../controller/store/secret-box.ts';
import type { Store } from '../../controller/store/store.ts';
import { openUsageBoard } from '../../controller/usage-board.ts';
import { openMemoryStore } from '../contract/fakes/memory-store.ts';

export const clock = systemClock();
export const rng = systemRng();

/** A controller's half of the link on a port of its own, over a memory store; agents join it at will. */
export interface LinkWorld {
  readonly dir: string;
  readonly store: Store;
  readonly cache: Cache;
  readonly objects: Objects;
  readonly ca: CertificateAuthority;
  readonly happenings: readonly Happening[];
  readonly port: number;
  dispatcher(): Dispatcher;
  /** The controller's process ends and another one, with the next epoch, takes its port. */
  restart(): Promise<void>;
  stopController(): Promise<void>;
  startController(): Promise<void>;
  /** The first one no longer leads. */
  standDown(): Promise<void>;
  /** One that doesn't lead yet. */
  addController(): Promise<TestController>;
  /** Signed by the world's authority, or by that one. */
  identityOf(nodeName: string, signer?: CertificateAuthority): Promise<NodeIdentity>;
  startAgent(options: AgentOptions): Promise<TestAgent>;
  close(): Promise<void>;
}

export interface TestController {
  readonly dispatcher: Dispatcher;
  readonly port: number;
  /** In the next epoch. */
  lead(): void;
  standDown(): Promise<void>;
  stop(): Promise<void>;
}

export interface AgentOptions {
  readonly nodeName: string;
  /** Default: its own. */
  readonly identity?: NodeIdentity;
  readonly handlers?: Partial<SessionHandlers>;
  readonly facts?: Partial<NodeFacts>;
  /** Beside the world's. */
  readonly otherControllers?: readonly string[];
}

export interface TestAgent {
  readonly ledger: Ledger;
  readonly session: Session;
  /** Identities that it was given since it started. */
  readonly renewed: readonly NodeIdentity[];
  report(status: ReportedStatus): void;
}

export async function openLinkWorld(): Promise<LinkWorld> {
  const dir = await mkdtemp(join(tmpdir(), 'orc-link-'));
  const store = openMemoryStore();
  const codec = objectCodec(secretBox(rng.bytes(32), rng));
  const objects = openObjects({ store, codec, clock, rng });
  const indexes = sharedIndexes;
  const running = await startCache({ store, codec, kinds, indexes, clock, rng, log: silentLog });
  const ca = await openCa({ dir: join(dir, 'pki'), clock, rng });
  const pair = await ca.issue(controllerSubject(['127.0.0.1']));
  const happenings: Happening[] = [];
  const agents: TestAgent[] = [];
  const usage = openUsageBoard(clock);
  let current: TestController | undefined;
  let epoch = 0;
  let port = 0;

  const newController = async (atPort: number): Promise<TestController> => {
    const dispatcher = openDispatcher({
      cache: running.cache,
      usage,
      identity: { ...pair, ca: ca.certificate },
      network: {
        clusterPodCidr: '10.244.0.0/14',
        nodePrefix: 22,
        serviceCidr: '10.96.0.0/16',
        dnsServiceIp: '10.96.0.10',
        clusterDomain: 'cluster.local',
      },
      signNode: (csr, nodeName) => ca.signNode(csr, nodeName),
      clock,
      rng,
      log: silentLog,
    });
    const recordEvent = (happening: Happening) => void happenings.push(happening);
    let standDown = async () => {};
    return {
      dispatcher,
      port: await dispatcher.listen({ host: '127.0.0.1', port: atPort }),
      lead() {
        standDown = dispatcher.lead({ objects, recordEvent, epoch: ++epoch, holds: () => true });
      },
      standDown: () => standDown(),
      async stop() {
        await standDown();
        await dispatcher.stop();
      },
    };
  };
  const further: TestController[] = [];
  const startController = async () => {
    current = await newController(port);
    port = current.port;
    current.lead();
  };
  const stopController = async () => {
    await current?.stop();
    current = undefined;
  };
  const identityOf = (nodeName: string, signer = ca) => newIdentity(signer, nodeName);
  await startController();
  return {
    dir,
    store,
    cache: running.cache,
    objects,
    ca,
    happenings,
    get port() {
      return port;
    },
    dispatcher() {
      if (!current) throw new Error('the controller is stopped');
      return current.dispatcher;
    },
    async addController() {
      const controller = await newController(0);
      further.push(controller);
      return controller;
    },
    standDown: async () => current?.standDown(),
    startController,
    stopController,
    async restart() {
      await stopController();
      await startController();
    },
    identityOf,
    async startAgent(options) {
      const identity = options.identity ?? (await identityOf(options.nodeName));
      const agent = await testAgent({ dir, port, options: { ...options, identity } });
      agents.push(agent);
      return agent;
    },
    async close() {
      await Promise.all(agents.map(({ session }) => session.stop()));
      await stopController();
      for (const controller of further) await controller.stop();
      await running.stop();
      await store.close();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

async function newIdentity(ca: CertificateAuthority, nodeName: string): Promise<NodeIdentity> {
  const { key, csr } = await newCertificateRequest(nodeName);
  return { key, certificate: await ca.signNode(csr, nodeName), ca: ca.certificate };
}

interface AgentParts {
  readonly dir: string;
  readonly port: number;
  readonly options: AgentOptions & { readonly identity: NodeIdentity };
}

async function testAgent({ dir, port, options }: AgentParts): Promise<TestAgent> {
  const ledger = await openLedger({
    dir: join(dir, 'ledger', options.nodeName),
    key: Buffer.alloc(32, 1),
    rng,
    log: silentLog,
  });
  const { statuses, report } = statusBoard();
  const renewed: NodeIdentity[] = [];
  const session = startSession({
    controllers: [...(options.otherControllers ?? []), `127.0.0.1:${port}`],
    nodeName: options.nodeName,
    identity: options.identity,
    onRenewed: async (identity) => void renewed.push(identity),
    describeNode: () => ({
      bootId: 'boot-1',
      agentVersion: '0.1.0',
      addresses: ['192.168.0.7'],
      capacity: { cpu: '4', memory: '8Gi', pods: '110' },
      system: undefined,
      labels: { rack: 'r1' },
      runtimeHandlers: [''],
      ...options.facts,
    }),
    ledger,
    statuses,
    handlers: { ...noHandlers, ...options.handlers },
    clock,
    rng,
    log: silentLog,
  });
  return { ledger, session, renewed, report };
}

const noHandlers: SessionHandlers = {
  exec: () => Promise.reject(new SessionError('NotFound', 'no such container')),
  logs: () => Promise.reject(new SessionError('NotFound', 'no such container')),
  attach: () => Promise.reject(new SessionError('NotFound', 'no such container')),
  portForward: () => Promise.reject(new SessionError('NotFound', 'no such pod')),
  query: () => Promise.reject(new SessionError('NotFound', 'nothing to say')),
};

function statusBoard() {
  const board = new Map<string, ReportedStatus>();
  const listeners = new Set<(uid: string) => void>();
  const statuses: StatusSource = {
    statuses: () => board,
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
  const report = (status: ReportedStatus) => {
    board.set(status.uid, status);
    for (const listener of listeners) listener(status.uid);
  };
  return { statuses, report };
}
