import { readFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import { buffer } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { openStoreAt } from './store-writes.ts';

/**
 * What an API server can't do without, and nothing else: TLS, HTTP, the answer's bytes, which it is told beforehand, and a
 * commit for each write; watchers get what was committed. Arguments: port, directory of certificates, file or etcd's URL.
 */
const [port = '', pki = '', place = ''] = process.argv.slice(2);
const store = await openStoreAt(place);
const answers = new Map<string, Buffer>();
const revisions = new Map<string, number>();
const watchers = new Set<ServerResponse>();
let created = 0;

const [key, cert, ca] = await Promise.all(
  ['server.key', 'server.crt', 'ca.crt'].map((name) => readFile(`${pki}/${name}`)),
);
createServer({ key, cert, ca, requestCert: true, minVersion: 'TLSv1.2' }, (request, response) => {
  void serve(request, response);
}).listen(Number(port), '127.0.0.1', () => console.log('ready'));
void tellWatchers();

async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { url = '', method = '', headers } = request;
  if (url.includes('watch=true')) return watch(response);
  if (method === 'GET') return answer(request, response, `${url} ${headers.accept}`);
  const body = await buffer(request);
  if (url === '/answers') return learn(response, body);
  await commit(method === 'POST' ? `/created/${created++}` : `/updated${url}`, completed(body));
  return answer(request, response, 'WRITE');
}

function learn(response: ServerResponse, told: Buffer): void {
  const { to, body } = JSON.parse(String(told));
  answers.set(to, Buffer.from(body, 'base64'));
  response.writeHead(200, { 'content-length': 0 }).end();
}

async function answer(request: IncomingMessage, response: ServerResponse, to: string) {
  const body = answers.get(to);
  if (!body) throw new Error(`nobody said what to answer to ${to}`);
  const zipped = request.headers['accept-encoding']
    ? await compress(body, { level: 1 })
    : undefined;
  const sent = zipped ?? body;
  const headers = { 'content-type': 'application/json', 'content-length': sent.length };
  response.writeHead(200, zipped ? { ...headers, 'content-encoding': 'gzip' } : headers).end(sent);
}

const compress = promisify(gzip);

/** As orc stores and tells it: all that it fills in, and what this body says of its time. */
function completed(body: Buffer): Buffer {
  const [, sent = ''] = /"bench\/sent":"([^"]*)"/.exec(String(body)) ?? [];
  const whole = String(answers.get('WRITE'));
  return Buffer.from(whole.replace('"bench/sent":""', `"bench/sent":"${sent}"`));
}

async function commit(at: string, value: Buffer): Promise<void> {
  const expect = [{ key: at, revision: revisions.get(at) ?? 0 }];
  const puts = [{ key: at, value: new Uint8Array(value) }];
  const outcome = await store.commit({ expect, puts, deletes: [] });
  if (outcome.committed) revisions.set(at, outcome.revision);
}

function watch(response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'application/json' });
  response.write(answers.get('WATCH'));
  watchers.add(response);
  response.on('close', () => watchers.delete(response));
}

async function tellWatchers(): Promise<void> {
  const { signal } = new AbortController();
  for await (const changes of store.watch('/updated/', { after: await store.revision(), signal }))
    for (const { value } of changes) {
      const line = Buffer.from(
        `{"type":"MODIFIED","object":${String(Buffer.from(value ?? []))}}\n`,
      );
      for (const watcher of watchers) watcher.write(line);
    }
}
