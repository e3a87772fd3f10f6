import { readFile } from 'node:fs/promises';
import { request } from 'node:https';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { ConfigMap } from '../../../../api/config-map.ts';
import { openTlsWorld, type TlsWorld } from '../../../support/tls-world.ts';

let world: TlsWorld;
let credentials: { ca: Buffer; cert: Buffer; key: Buffer };

beforeAll(async () => {
  world = await openTlsWorld({ rememberedChanges: 20 });
  const config = parse(await readFile(world.kubeconfig, 'utf8'));
  const bytes = (text: string) => Buffer.from(text, 'base64');
  const user = config.users[0].user;
  credentials = {
    ca: bytes(config.clusters[0].cluster['certificate-authority-data']),
    cert: bytes(user['client-certificate-data']),
    key: bytes(user['client-key-data']),
  };
});

afterAll(() => world.close());

interface Event {
  readonly type: string;
  readonly object: { metadata: { name: string; resourceVersion: string }; code?: number };
}

/** The first `count` events of a watch, then hangs up. */
function events(query: string, count: number, accept = 'application/json'): Promise<Event[]> {
  const path = `/api/v1/namespaces/default/configmaps?watch=1&${query}`;
  return new Promise((resolve, reject) => {
    const { port } = world;
    const call = request(
      { ...credentials, host: '127.0.0.1', port, path, headers: { accept } },
      (response) => {
        const seen: Event[] = [];
        const lines = createInterface({ input: response });
        lines.on('line', (line) => {
          seen.push(JSON.parse(line));
          if (seen.length < count) return;
          lines.close();
          call.destroy();
          resolve(seen);
        });
        response.on('end', () => resolve(seen));
      },
    );
    call.on('error', (error) => (call.destroyed ? resolve([]) : reject(error)));
    call.end();
  });
}

const brief = (list: readonly Event[]) =>
  list.map(({ type, object }) => `${type} ${object.metadata.name}`);

const create = (name: string, labels: Record<string, string> = {}) =>
  world.objects.create(ConfigMap, {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name, namespace: 'default', labels },
  });

const relabel = (name: string, labels: Record<string, string>) =>
  world.objects.modify(ConfigMap, { key: { namespace: 'default', name }, part: 'main' }, (map) => ({
    ...map,
    metadata: { ...map.metadata, labels },
  }));

/** Whoever begins to watch meanwhile sees at least one. */
async function repeatUntil(waiting: { readonly isOver: boolean }, change: () => Promise<unknown>) {
  while (!waiting.isOver) {
    await change();
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

const remove = (name: string) => world.objects.delete(ConfigMap, { namespace: 'default', name });

describe('a watch', () => {
  it('begins with the state when no resourceVersion is given', async () => {
    await create('state');
    expect(brief(await events('', 1))).toEqual(['ADDED state']);
    await remove('state');
  });

  it('resumes behind the resourceVersion, each change once and in order', async () => {
    const first = await create('resume');
    await relabel('resume', { a: '1' });
    await remove('resume');
    const seen = await events(`resourceVersion=${first.metadata.resourceVersion}`, 2);
    expect(brief(seen)).toEqual(['MODIFIED resume', 'DELETED resume']);
  });

  it('shows an object that begins or ends to match as added or deleted', async () => {
    const first = await create('moves');
    await relabel('moves', { app: 'web' });
    await relabel('moves', { app: 'web', more: 'x' });
    const last = await relabel('moves', { app: 'db' });
    const seen = await events(
      `labelSelector=app%3Dweb&resourceVersion=${first.metadata.resourceVersion}`,
      3,
    );
    expect(brief(seen)).toEqual(['ADDED moves', 'MODIFIED moves', 'DELETED moves']);
    expect(seen[2]?.object.metadata).toMatchObject({
      labels: { app: 'web' },
      resourceVersion: last?.metadata.resourceVersion,
    });
    await remove('moves');
  });

  it('is told by an ERROR event when its resourceVersion is forgotten', async () => {
    for (let n = 0; n < 60; n++) await create(`many-${n}`);
    const [event] = await events('resourceVersion=1', 1);
    expect(event).toMatchObject({ type: 'ERROR', object: { code: 410, reason: 'Expired' } });
  });

  it('ends the state with a bookmark when asked to send it first', async () => {
    const query =
      'sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true';
    const seen = await events(`${query}&fieldSelector=metadata.name%3Dmany-1`, 2);
    expect(seen).toMatchObject([
      { type: 'ADDED' },
      {
        type: 'BOOKMARK',
        object: { metadata: { annotations: { 'k8s.io/initial-events-end': 'true' } } },
      },
    ]);
  });

  it('ends the state with a bookmark only for those who take bookmarks', async () => {
    const query = 'sendInitialEvents=true&resourceVersionMatch=NotOlderThan&timeoutSeconds=1';
    const seen = await events(`${query}&fieldSelector=metadata.name%3Dmany-1`, 2);
    expect(brief(seen)).toEqual(['ADDED many-1']);
  });

  it('leaves the state out when asked to', async () => {
    const query = 'sendInitialEvents=false&resourceVersionMatch=NotOlderThan&timeoutSeconds=3';
    for (const version of ['', '0']) {
      const watching = events(`${query}&resourceVersion=${version}`, 1);
      const waiting = { isOver: false };
      const created = repeatUntil(waiting, () => relabel('many-2', { now: String(Math.random()) }));
      expect(brief(await watching), version).toEqual(['MODIFIED many-2']);
      waiting.isOver = true;
      await created;
    }
  });

  it('ends when its time is over', async () => {
    const seen = await events('timeoutSeconds=1&fieldSelector=metadata.name%3Dnone', 1);
    expect(seen).toEqual([]);
  });

  it('sends rows to those who print tables', async () => {
    const accept = 'application/json;as=Table;v=v1;g=meta.k8s.io';
    const [event] = await events('fieldSelector=metadata.name%3Dmany-1', 1, accept);
    expect(event).toMatchObject({
      type: 'ADDED',
      object: { kind: 'Table', rows: [{ cells: ['many-1', 0, expect.any(String)] }] },
    });
  });
});

describe('a connection', () => {
  const get = (options: object, path: string) =>
    new Promise<{ code: number | undefined; body: { reason?: string } }>((resolve, reject) => {
      const { port } = world;
      request({ ca: credentials.ca, host: '127.0.0.1', port, path, ...options }, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('end', () =>
          resolve({
            code: response.statusCode,
            body: JSON.parse(Buffer.concat(chunks).toString() || '{}'),
          }),
        );
      })
        .on('error', reject)
        .end();
    });

  it('without a certificate gets 401 as a Status, but the version', async () => {
    expect(await get({}, '/api/v1/pods')).toMatchObject({
      code: 401,
      body: { kind: 'Status', reason: 'Unauthorized' },
    });
    expect(await get({}, '/version')).toMatchObject({ code: 200, body: { major: '1' } });
  });
});
