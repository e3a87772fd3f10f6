import { isIP } from 'node:net';
import { networkInterfaces } from 'node:os';
import { checkServerIdentity } from 'node:tls';
import type { MethodDefinition as Method } from '@grpc/grpc-js';
import { Client, ChannelCredentials as Credentials, Metadata } from '@grpc/grpc-js';
import { AuthService } from '../../api/generated/etcd.ts';
import { backoffMs } from '../../base/backoff.ts';
import { type Clock, sleep } from '../../base/clock.ts';
import { withDeadline } from '../../base/deadline.ts';
import { closed, etcdFailure, tellsOfElection, unavailable } from './etcd-errors.ts';

/** Where etcd is, and as whom it is spoken to. */
export interface EtcdAccess {
  /** http://HOST:PORT or https://HOST:PORT of each member. */
  readonly urls: readonly string[];
  /** So long a member may take; after that the next one is asked. 2 seconds, if nothing is said. */
  readonly answerMs?: number | undefined;
  /** PEM. Without a CA those of the system. */
  readonly ca?: Buffer | undefined;
  readonly identity?: { readonly key: Buffer; readonly certificate: Buffer } | undefined;
  readonly user?: { readonly name: string; readonly password: string } | undefined;
}

/** So many times a member's time a caller waits at most: an election among etcd's members takes 1 to 2 seconds. */
const patience = 2.5;
const pause = { firstMs: 25, capMs: 250 };

const usualAnswerMs = 2000;

const channelOptions = {
  'grpc.max_receive_message_length': -1,
  'grpc.max_send_message_length': -1,
  // etcd takes more than one in 5 seconds for an attack.
  'grpc.keepalive_time_ms': 6000,
  'grpc.initial_reconnect_backoff_ms': 50,
  'grpc.max_reconnect_backoff_ms': 250,
  // A new client is a new connection.
  'grpc.use_local_subchannel_pool': 1,
  'grpc.enable_retries': 0,
  'grpc.service_config_disable_resolution': 1,
  'grpc.enable_http_proxy': 0,
};

interface Member {
  readonly url: string;
  client: Client;
}

/** The members of an etcd cluster: one is spoken to, until it fails. */
export class EtcdLink {
  readonly #access: EtcdAccess;
  readonly #answerMs: number;
  readonly #clock: Clock;
  readonly #members: Member[];
  readonly #closing = new AbortController();
  readonly #underWay = new Set<Promise<unknown>>();
  /** Left, with calls of others that may still be answered; each with how not to close it later. */
  readonly #left = new Map<Client, () => void>();
  #token: Promise<string> | undefined;

  constructor(access: EtcdAccess, clock: Clock) {
    this.#access = access;
    this.#answerMs = access.answerMs ?? usualAnswerMs;
    this.#clock = clock;
    this.#members = nearestFirst(access.urls).map((url) => ({ url, client: connect(url, access) }));
  }

  /** Aborts when the link is closed. */
  get closing(): AbortSignal {
    return this.#closing.signal;
  }

  /**
   * Asks one member after the other until one answers; if the request must not be carried out twice, only until it may
   * have been once. `isRepeat`: an earlier try may have been carried out as well. @throws StoreError
   */
  async call<Q, A>(method: Method<Q, A>, request: Q, { repeatable = true } = {}) {
    if (this.#closing.signal.aborted) throw closed();
    const calling = this.#tryUntilAnswered(method, request, repeatable);
    this.#underWay.add(calling);
    try {
      return await calling;
    } finally {
      this.#underWay.delete(calling);
    }
  }

  /** A stream with a member that has a leader; `failed` says that another one should be tried next. */
  async stream<Q, A>(method: Method<Q, A>) {
    const member = this.#members[0] as Member;
    const { client } = member;
    await this.#ready(client).catch((cause: unknown) => {
      this.#leave(member, client);
      throw unavailable(cause);
    });
    const metadata = await this.#metadata();
    metadata.set('hasleader', 'true');
    const { path, requestSerialize, responseDeserialize } = method;
    const asked = [path, requestSerialize, responseDeserialize, metadata] as const;
    const stream = client.makeBidiStreamRequest(...asked);
    const failed = () => {
      this.#token = undefined;
      this.#leave(member, client);
    };
    return { stream, failed };
  }

  /** What was asked before is still answered. */
  async close(): Promise<void> {
    this.#closing.abort(closed());
    await Promise.allSettled(this.#underWay);
    for (const cancel of this.#left.values()) cancel();
    for (const client of [...this.#left.keys(), ...this.#members.map((member) => member.client)])
      client.close();
  }

  async #tryUntilAnswered<Q, A>(method: Method<Q, A>, request: Q, repeatable: boolean) {
    const until = this.#clock.monotonic() + patience * this.#answerMs;
    let isRepeat = false;
    for (let attempt = 1; ; attempt++) {
      const member = this.#members[0] as Member;
      const { client } = member;
      try {
        return { answer: await this.#try(client, method, request), isRepeat };
      } catch (cause) {
        const failure = etcdFailure(cause);
        if (failure.kind === 'refused') throw failure.error;
        if (failure.kind === 'unauthenticated') this.#token = undefined;
        else if (!tellsOfElection(cause)) this.#leave(member, client);
        isRepeat ||= failure.kind === 'unknown';
        const pauseMs = backoffMs(pause, Math.ceil(attempt / this.#members.length));
        const isLate = this.#clock.monotonic() + pauseMs > until;
        if (isLate || (isRepeat && !repeatable)) throw unavailable(cause);
        await sleep(this.#clock, pauseMs);
      }
    }
  }

  /** One answer to one request, also of a method with streams: on the wire it is the same. */
  async #try<Q, A>(client: Client, method: Method<Q, A>, request: Q): Promise<A> {
    const { path, requestSerialize, responseDeserialize } = method;
    const limit = { clock: this.#clock, ms: this.#answerMs, what: 'etcd' };
    return withDeadline(limit, async (signal) => {
      await this.#ready(client);
      const isOpen = path === AuthService.authenticate.path;
      const metadata = isOpen ? new Metadata() : await this.#metadata();
      return new Promise((resolve, reject) => {
        const call = client.makeUnaryRequest(
          ...([path, requestSerialize, responseDeserialize, request, metadata] as const),
          (error, answer) => (answer === undefined || error ? reject(error) : resolve(answer)),
        );
        signal.addEventListener('abort', () => call.cancel(), { once: true });
      });
    });
  }

  /** Of a machine that is off nothing comes at all, which isn't worth the time that an answer may take. */
  #ready(client: Client): Promise<void> {
    const until = new Date(this.#clock.now() + this.#answerMs / 4);
    return new Promise((resolve, reject) => {
      client.waitForReady(until, (error) =>
        error ? reject(new Error('No connection established', { cause: error })) : resolve(),
      );
    });
  }

  async #metadata(): Promise<Metadata> {
    const metadata = new Metadata();
    const { user } = this.#access;
    if (!user) return metadata;
    this.#token ??= this.#authenticate(user);
    metadata.set('token', await this.#token);
    return metadata;
  }

  async #authenticate(user: NonNullable<EtcdAccess['user']>): Promise<string> {
    try {
      return (await this.#tryUntilAnswered(AuthService.authenticate, user, true)).answer.token;
    } catch (error) {
      this.#token = undefined;
      throw error;
    }
  }

  /** It goes to the end of the queue, with a new connection: the old one may be dead without knowing it. */
  #leave(member: Member, client: Client): void {
    if (member.client !== client) return;
    const close = () => this.#left.delete(client) && client.close();
    this.#left.set(client, this.#clock.after(this.#answerMs, close));
    member.client = connect(member.url, this.#access);
    this.#members.push(...this.#members.splice(this.#members.indexOf(member), 1));
  }
}

/** One on this machine is never cut off from us, and it ends when we do: what another machine's end does to others isn't. */
function nearestFirst(urls: readonly string[]): readonly string[] {
  const ours = Object.values(networkInterfaces()).flatMap((all) => all ?? []);
  const isHere = (url: string) => {
    const host = new URL(url).hostname.replace(/^\[|\]$/g, '');
    return host === 'localhost' || ours.some(({ address }) => address === host);
  };
  return urls.toSorted((a, b) => Number(isHere(b)) - Number(isHere(a)));
}

function connect(url: string, { ca, identity, answerMs }: EtcdAccess): Client {
  const { protocol, host, hostname } = new URL(url);
  // One that may take longer for an answer may for this, too.
  const options = { ...channelOptions, 'grpc.keepalive_timeout_ms': answerMs ?? usualAnswerMs };
  if (protocol === 'http:') return new Client(host, Credentials.createInsecure(), options);
  const name = hostname.replace(/^\[|\]$/g, '');
  const credentials = Credentials.createSsl(ca, identity?.key, identity?.certificate, {
    checkServerIdentity: (_, certificate) => checkServerIdentity(name, certificate),
  });
  // Node refuses to ask for an address (SNI); whose certificate it is, is checked above.
  const asked = isIP(name) === 0 ? name : 'etcd';
  return new Client(host, credentials, { ...options, 'grpc.ssl_target_name_override': asked });
}
