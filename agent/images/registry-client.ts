import { type BackoffPolicy, backoffMs, withJitter } from '../../base/backoff.ts';
import type { Base } from '../../base/base.ts';
import { sleep } from '../../base/clock.ts';
import { errorChain } from '../../base/error-chain.ts';
import type { BlobSink } from './blob-store.ts';
import { digestOf } from './digest.ts';
import { ImageError } from './image-error.ts';
import { acceptedManifestTypes, type Descriptor, maxManifestBytes } from './manifest.ts';
import type { ImageReference } from './reference.ts';
import { planSources, type Source } from './registries.ts';
import { type Answer, answerError, readBounded } from './registry-answer.ts';
import { authorizer } from './registry-auth.ts';
import type { CredentialSources } from './registry-credentials.ts';
import type { Transport } from './registry-transport.ts';

export interface RegistryClientOptions extends CredentialSources, Omit<Base, 'log'> {
  readonly reference: ImageReference;
}

const backoff: BackoffPolicy = { firstMs: 250, capMs: 8000 };
const maxAttempts = 5;
const maxRedirects = 5;

export type RegistryReader = ReturnType<typeof sourceClient>;

/**
 * Reads images by the OCI distribution-spec: of one repository, for one pull, as tokens are never shared between pulls.
 * Its mirrors are asked first, each once. All throw ImageError.
 */
export function registryClient(options: RegistryClientOptions) {
  const { network, registries } = options.transport;
  const sources = planSources(options.reference, { ...network, ...registries });
  let isOpen = true;
  const onLogin = () => {
    isOpen = false;
  };
  const readers = sources.map((source, i) => {
    const attempts = i + 1 < sources.length ? 1 : maxAttempts;
    return sourceClient({ ...options, ...source, attempts, onLogin });
  });
  return {
    ...firstOf(readers),
    /** Without its mirrors. */
    registry: readers.at(-1) as RegistryReader,
    /** No credentials were needed for what came. */
    isOpen: () => isOpen,
  };
}

/** A mirror that lacks something may have the next thing; one that fails otherwise isn't asked again. */
function firstOf(sources: readonly RegistryReader[]): RegistryReader {
  const failures = new Map<RegistryReader, ImageError>();
  const mayHave = (one: RegistryReader) =>
    one === sources.at(-1) ||
    (failures.get(one)?.reason ?? 'ManifestUnknown') === 'ManifestUnknown';
  const first = async <T>(signal: AbortSignal, ask: (one: RegistryReader) => Promise<T>) => {
    for (const source of sources.filter(mayHave)) {
      try {
        return await ask(source);
      } catch (error) {
        const isOurs = !(error instanceof ImageError) || error.reason === 'StorageFailed';
        if (signal.aborted || isOurs) throw error;
        failures.set(source, error);
      }
    }
    throw sources.flatMap((one) => failures.get(one) ?? []).reduce(after);
  };
  return {
    fetchManifest: (wanted, signal) => first(signal, (one) => one.fetchManifest(wanted, signal)),
    fetchBlob: (blob, signal) => first(signal, (one) => one.fetchBlob(blob, signal)),
    downloadBlob: (blob, ...to) => first(to[1], (one) => one.downloadBlob(blob, ...to)),
  };
}

function after(before: ImageError, error: ImageError): ImageError {
  const message = `${error.message} (after ${errorChain(before)})`;
  return new ImageError(error.reason, message, error);
}

type SourceOptions = RegistryClientOptions &
  Source &
  Readonly<{ attempts: number; onLogin: () => void }>;

function sourceClient(options: SourceOptions) {
  const { url: base, query } = options;
  const get = getter(options);
  return {
    /** By tag or digest; verified against the digest. */
    fetchManifest(wanted: string, signal: AbortSignal) {
      const headers = { accept: acceptedManifestTypes.join(', ') };
      return withRetries(options, signal, async () => {
        const answer = await get(`${base}/manifests/${wanted}${query}`, { headers, signal });
        const bytes = await readBounded(answer, maxManifestBytes);
        const digest = digestOf(bytes);
        if (wanted.startsWith('sha256:')) expectDigest(wanted, digest);
        return { bytes, digest, mediaType: String(answer.headers['content-type'] ?? '') };
      });
    },
    /** A small blob, verified. */
    fetchBlob({ digest, size }: Descriptor, signal: AbortSignal) {
      return withRetries(options, signal, async () => {
        const answer = await get(`${base}/blobs/${digest}${query}`, { headers: {}, signal });
        const bytes = await readBounded(answer, size);
        expectDigest(digest, digestOf(bytes));
        return bytes;
      });
    },
    /** Streams a blob into the sink, which verifies it; a broken transfer goes on where it stopped. */
    downloadBlob(descriptor: Descriptor, sink: BlobSink, signal: AbortSignal): Promise<void> {
      const url = `${base}/blobs/${descriptor.digest}${query}`;
      return withRetries({ ...options, progress: () => sink.receivedBytes }, signal, async () =>
        transfer(await get(url, { headers: rangeFrom(sink), signal }), sink, descriptor),
      );
    },
  };
}

function expectDigest(wanted: string, got: string): void {
  if (wanted !== got)
    throw new ImageError('DigestMismatch', `the registry sent ${got} when asked for ${wanted}`);
}

const rangeFrom = (sink: BlobSink): Readonly<Record<string, string>> =>
  sink.receivedBytes === 0 ? {} : { range: `bytes=${sink.receivedBytes}-` };

async function transfer(answer: Answer, sink: BlobSink, descriptor: Descriptor): Promise<void> {
  if (sink.receivedBytes > 0 && !continues(answer, sink.receivedBytes)) sink.restart();
  for await (const chunk of answer.body) await sink.write(chunk as Buffer);
  if (sink.receivedBytes < descriptor.size)
    throw new Error(`the connection ended after ${sink.receivedBytes} of ${descriptor.size} bytes`);
}

function continues(answer: Answer, from: number): boolean {
  const range = String(answer.headers['content-range'] ?? '');
  return answer.statusCode === 206 && range.startsWith(`bytes ${from}-`);
}

/** One successful answer: authorized, redirects followed. Throws ImageError for any status that isn't 2xx. */
function getter(options: SourceOptions): Transport['request'] {
  const { transport, url: base } = options;
  const authorize = authorizer({ ...options, isSecure: base.startsWith('https:') });
  return async (url, { headers, signal }) => {
    const first = await authorize(signal, (auth) =>
      transport.request(url, { headers: { ...headers, ...auth }, signal }),
    );
    const go = (next: string) => transport.request(next, { headers, signal });
    const answer = await followRedirects(first, url, go);
    if (answer.statusCode < 300) return answer;
    throw await answerError(answer, options.reference);
  };
}

/** Without credentials: the place a registry points to is someone else's, and its URL carries what it needs. */
async function followRedirects(first: Answer, from: string, go: (url: string) => Promise<Answer>) {
  let [answer, url] = [first, from];
  for (let hops = 0; answer.statusCode >= 301 && answer.statusCode <= 308; hops++) {
    const location = answer.headers.location;
    await answer.body.dump();
    if (hops === maxRedirects || typeof location !== 'string')
      throw new ImageError('RegistryError', `${url}: redirected ${hops + 1} times, to no end`);
    const next = new URL(location, url);
    if (next.protocol !== 'https:' && !url.startsWith('http:'))
      throw new ImageError('RegistryError', `${url}: redirected to ${next.protocol}, without TLS`);
    url = next.href;
    answer = await go(url);
  }
  return answer;
}

interface RetryOptions extends SourceOptions {
  /** A number that grows while things move: growth gives back the attempts. */
  readonly progress?: () => number;
}

async function withRetries<T>(options: RetryOptions, signal: AbortSignal, work: () => Promise<T>) {
  let best = options.progress?.() ?? 0;
  for (let failures = 1; ; failures++) {
    try {
      return await work();
    } catch (error) {
      signal.throwIfAborted();
      const reached = options.progress?.() ?? 0;
      if (reached > best) failures = 1;
      best = Math.max(best, reached);
      // It takes long, and people wait to be told.
      if (isSilence(error)) failures += 2;
      const failure = asImageError(error, options);
      if (!isTransient(failure) || failures >= options.attempts) throw failure;
      const wait = failure.retryAfterMs ?? withJitter(backoffMs(backoff, failures), options.rng);
      await sleep(options.clock, wait, signal);
    }
  }
}

const isTransient = (error: ImageError): boolean =>
  error.reason === 'RegistryUnavailable' || error.reason === 'TooManyRequests';

/** What isn't an answer is a failure on the way to one. */
function asImageError(cause: unknown, { reference, transport }: SourceOptions): ImageError {
  if (cause instanceof ImageError) return cause;
  const { proxySocket, proxies } = transport.network;
  const proxy = proxySocket || proxies?.https || proxies?.http ? ', or the proxy to it,' : '';
  const silent = isSilence(cause) ? `${proxy} accepts connections and then stays silent` : '';
  const message = `registry ${reference.registry}${silent}`;
  return new ImageError('RegistryUnavailable', message, { cause });
}

const isSilence = (error: unknown) =>
  error instanceof Error && /^UND_ERR_(HEADERS|BODY)_TIMEOUT$/.test(codeOf(error));

const codeOf = (error: Error) => ('code' in error ? String(error.code) : '');
