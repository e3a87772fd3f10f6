import { readFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { Agent, request } from 'node:https';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { parse } from 'yaml';
import type { TlsWorld } from '../../support/tls-world.ts';

/** One request and its answer; uids, revisions and times are replaced by words that stay the same. */
export interface Exchange {
  /** Only these versions; all when absent. */
  readonly by?: string;
  /** "GET /api/v1/nodes?limit=500" */
  readonly asks: string;
  readonly accept?: string;
  readonly type?: string;
  readonly body?: unknown;
  readonly code: number;
  readonly answerType: string;
  /** JSON; of a watch its events so far; of what isn't JSON the text. */
  readonly answer: unknown;
}

/** Replaces what is another one each time by words numbered in the order of their appearance, and back. */
export function placeholders() {
  const words = new Map<string, string>();
  const actual = new Map<string, string>();
  const wordFor = (what: string) => (value: string) => {
    const key = `${what} ${value}`;
    const word =
      words.get(key) ??
      `<${what} ${[...words.keys()].filter((k) => k.startsWith(what)).length + 1}>`;
    words.set(key, word);
    actual.set(word, value);
    return word;
  };
  const [uid, revision] = [wordFor('uid'), wordFor('rv')];
  return {
    hide: (text: string) =>
      text
        .replaceAll(/\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/g, uid)
        .replaceAll(/\b10\.96\.\d+\.\d+\b/g, wordFor('ip'))
        .replaceAll(/(?<=resourceVersion"?[:=] ?\\?"?)[1-9]\d*/g, revision)
        .replaceAll(/(?<=continue[:="]+)[\w-]{10,}/g, wordFor('continue')),
    show: (text: string) => text.replaceAll(/<\w+ \d+>/g, (word) => actual.get(word) ?? word),
  };
}

/** Our own clock stands still, the clients' doesn't. */
const withoutTimes = (text: string) =>
  text.replaceAll(/\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/g, '<time>');

/** About the API, not about objects: other tests look at that, and each new kind would change it. */
const isDiscovery = (path: string) =>
  /^\/(openapi|version|api(\/v1)?(\?|$)|apis(\/[^/?]+){0,2}(\?|$))/.test(path);

type Credentials = Readonly<{ ca: Buffer; cert: Buffer; key: Buffer }>;

export async function credentialsOf({ kubeconfig }: TlsWorld): Promise<Credentials> {
  const { clusters, users } = parse(await readFile(kubeconfig, 'utf8'));
  const bytes = (text: string) => Buffer.from(text, 'base64');
  const { user } = users[0];
  return {
    ca: bytes(clusters[0].cluster['certificate-authority-data']),
    cert: bytes(user['client-certificate-data']),
    key: bytes(user['client-key-data']),
  };
}

interface Ask {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/** @param isEnough of what has come so far: hangs up then */
function ask(
  { method, path, headers, body }: Ask,
  to: Readonly<{ port: number; agent: Agent }>,
  onAnswer: (response: IncomingMessage) => void,
) {
  const framed = body.length > 0 ? { ...headers, 'content-length': body.length } : headers;
  const call = request({ host: '127.0.0.1', ...to, method, path, headers: framed }, onAnswer);
  call.end(body);
  return call;
}

/** An HTTP server that passes everything on to the world's, and keeps what was said. */
export async function startRecorder(world: TlsWorld) {
  const agent = new Agent({ ...(await credentialsOf(world)), keepAlive: true });
  const { hide } = placeholders();
  const exchanges: (() => Exchange)[] = [];
  const pass = async (incoming: IncomingMessage, outgoing: ServerResponse) => {
    const body = await buffer(incoming);
    const { url: path = '', method = '', headers } = incoming;
    const kept: Record<string, string> = {};
    for (const name of ['accept', 'content-type', 'user-agent'])
      if (headers[name] !== undefined) kept[name] = String(headers[name]);
    const chunks: Buffer[] = [];
    const call = ask(
      { method, path, headers: kept, body },
      { port: world.port, agent },
      (response) => {
        const code = response.statusCode ?? 0;
        if (!isDiscovery(path))
          exchanges.push(() =>
            exchangeOf({ method, path, headers: kept, body }, { code, response, chunks }, hide),
          );
        outgoing.writeHead(code, { 'content-type': response.headers['content-type'] ?? '' });
        outgoing.flushHeaders();
        response.on('data', (chunk: Buffer) => {
          chunks.push(chunk);
          outgoing.write(chunk);
        });
        response.on('end', () => outgoing.end());
        response.on('error', () => outgoing.destroy());
      },
    );
    call.on('error', () => outgoing.destroy());
    outgoing.on('close', () => call.destroy());
  };
  const server = createServer((incoming, outgoing) => void pass(incoming, outgoing));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async stop(): Promise<readonly Exchange[]> {
      server.closeAllConnections();
      server.close();
      agent.destroy();
      return exchanges.map((finish) => finish());
    },
  };
}

function exchangeOf(
  { method, path, headers, body }: Ask,
  {
    code,
    response,
    chunks,
  }: { code: number; response: IncomingMessage; chunks: readonly Buffer[] },
  hide: (text: string) => string,
): Exchange {
  const { accept, 'content-type': type } = headers;
  const asks = hide(`${method} ${path}`);
  const said = body.length === 0 ? {} : { body: readText(hide(body.toString())) };
  const answer = readText(withoutTimes(hide(Buffer.concat(chunks).toString())));
  return {
    asks,
    ...(accept !== undefined && accept !== 'application/json' && { accept }),
    ...(type !== undefined && { type }),
    ...said,
    code,
    answerType: response.headers['content-type'] ?? '',
    answer: withoutWords(answer),
  };
}

/** A table's columns say at length what they are; their names and types are enough. */
function withoutWords(answer: unknown): unknown {
  return JSON.parse(JSON.stringify(answer), (key, value) =>
    key === 'columnDefinitions' && Array.isArray(value)
      ? value.map(({ name, type, priority }) => `${name} ${type} ${priority}`)
      : value,
  );
}

/** JSON, JSON in lines, or text. */
function readText(text: string): unknown {
  for (const read of [JSON.parse, readLines]) {
    try {
      return read(text);
    } catch {
      // Then it is something else.
    }
  }
  return text;
}

const readLines = (text: string): unknown =>
  text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));

/** What the world's store has, to be compared with what it had. */
export function snapshot({ deps }: TlsWorld): ReadonlyMap<string, string> {
  const objects = deps.cache.kinds.all.flatMap((kind) => deps.cache.list(kind));
  return new Map(
    objects.map((object) => [`${object.kind} ${object.metadata.name}`, JSON.stringify(object)]),
  );
}

/** What a conversation leaves behind, as its last line: answers alone don't tell a dry run from a deletion. */
export async function ending(
  world: TlsWorld,
  before: ReadonlyMap<string, string>,
): Promise<Exchange> {
  await world.cache.reached(await world.store.revision());
  const after = snapshot(world);
  const gone = [...before.keys()].filter((name) => !after.has(name)).sort();
  const { hide } = placeholders();
  const changed = [...after.keys()].filter((name) => before.get(name) !== after.get(name)).sort();
  const now = changed.map((name) => JSON.parse(withoutTimes(hide(after.get(name) ?? ''))));
  return { asks: AFTERWARDS, code: 0, answerType: '', answer: { gone, now } };
}

const AFTERWARDS = '(afterwards)';

/** The recorded requests once more, one after the other: the exchanges as they are today. */
export async function replay(
  world: TlsWorld,
  recorded: readonly Exchange[],
): Promise<readonly Exchange[]> {
  const agent = new Agent({ ...(await credentialsOf(world)), keepAlive: true });
  const { hide, show } = placeholders();
  const today: Exchange[] = [];
  const before = snapshot(world);
  for (const { by, ...exchange } of recorded) {
    if (exchange.asks === AFTERWARDS) {
      today.push({ ...(by !== undefined && { by }), ...(await ending(world, before)) });
      continue;
    }
    const [method = '', path = ''] = show(exchange.asks).split(' ');
    const { type, accept = 'application/json', body, answer } = exchange;
    const headers = { accept, ...(type !== undefined && { 'content-type': type }) };
    const text = body === undefined ? '' : typeof body === 'string' ? body : JSON.stringify(body);
    const events = /[?&]watch=/.test(path)
      ? Array.isArray(answer)
        ? answer.length
        : answer === ''
          ? 0
          : 1
      : undefined;
    const asked = { method, path, headers, body: Buffer.from(show(text)) };
    const { code, response, chunks } = await hear(asked, { port: world.port, agent }, events);
    hide(`${method} ${path}`);
    const now = exchangeOf({ ...asked }, { code, response, chunks }, hide);
    today.push({ ...(by !== undefined && { by }), ...now, ...(body !== undefined && { body }) });
  }
  agent.destroy();
  return today;
}

/** The whole answer; of a watch so many events. */
function hear(asked: Ask, to: Readonly<{ port: number; agent: Agent }>, events?: number) {
  return new Promise<{ code: number; response: IncomingMessage; chunks: Buffer[] }>(
    (resolve, reject) => {
      const chunks: Buffer[] = [];
      const call = ask(asked, to, (response) => {
        const done = () => resolve({ code: response.statusCode ?? 0, response, chunks });
        const isEnough = () =>
          events !== undefined && Buffer.concat(chunks).toString().split('\n').length > events;
        const look = () => {
          if (!isEnough()) return;
          call.destroy();
          done();
        };
        response.on('data', (chunk: Buffer) => {
          chunks.push(chunk);
          look();
        });
        response.on('end', done);
        response.on('error', done);
        look();
      });
      call.on('error', (error) => (call.destroyed ? undefined : reject(error)));
    },
  );
}
