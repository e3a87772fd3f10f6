import type { Figures } from './api.ts';
import type { Peer } from './api-peers.ts';
import { openClient, type RawClient, type RawRequest, type Target } from './raw-client.ts';

const nodes = 100;
const pods = '/api/v1/namespaces/default/pods';
const watched = '/api/v1/namespaces/watched/pods';
const watchedPods = 10;

/** Nodes, and the pods that will be watched; and the floor learns what to answer to writes. */
export async function fill({ orc, floor }: Readonly<Record<'orc' | 'floor', Peer>>): Promise<void> {
  await withClients(orc, 1, async ([client]) => {
    const post = (path: string, object: object) =>
      client.send({ method: 'POST', path, body: JSON.stringify(object) });
    for (let i = 0; i < nodes; i++)
      await post('/api/v1/nodes', { metadata: { name: `n${i}` }, spec: {} });
    await post('/api/v1/namespaces', { metadata: { name: 'watched' } });
    for (let i = 0; i < watchedPods; i++) await post(watched, aPod(i));
    const answer = await post(pods, aPod(-1));
    await client.send({ method: 'DELETE', path: `${pods}/p-1`, body: '{"gracePeriodSeconds":0}' });
    await teach(floor, 'WRITE', answer.body);
    const list = await client.send({ method: 'GET', path: watched });
    const { items } = JSON.parse(String(list.body)) as { readonly items: readonly object[] };
    const lines = items.map((object) => `${JSON.stringify({ type: 'ADDED', object })}\n`);
    await teach(floor, 'WATCH', Buffer.from(lines.join('')));
  });
}

/** A fifth of the 10,000 pods, of which a tenth one after the other. */
export async function measureWrites(peer: Peer, figures: Figures, round: number): Promise<void> {
  let at = round * 2000;
  const create = () => ({ method: 'POST', path: pods, body: JSON.stringify(aPod(at++)) });
  await addRates(peer, figures, { what: 'create', counts: [200, 1800], next: create });
  let last = round * 2000;
  const update = () => {
    const i = last++ % at;
    return { method: 'PUT', path: `${pods}/p${i}`, body: JSON.stringify(aPod(i, String(last))) };
  };
  await addRates(peer, figures, { what: 'update', counts: [200, 1800], next: update });
}

interface Requests {
  readonly what: string;
  /** So many one after the other, and so many 32 at once. */
  readonly counts: readonly [number, number];
  readonly next: () => RawRequest;
}

export async function addRates(
  peer: Peer,
  figures: Figures,
  { what, counts, next }: Requests,
): Promise<void> {
  for (const [i, count] of counts.entries()) {
    const atOnce = i === 0 ? 1 : 32;
    const before = await peer.processor();
    add(figures, `${what}/s, ${atOnce} at once`, await rate(peer, { count, atOnce, next }));
    if (i === 0) continue;
    const micros = ((await peer.processor()) - before) * 1e6;
    add(figures, `${what}: processor, µs each`, micros / count);
  }
}

/** Per second. */
const rate = (
  target: Target,
  { count, atOnce, next }: Pick<Requests, 'next'> & Readonly<{ count: number; atOnce: number }>,
): Promise<number> =>
  withClients(target, atOnce, async (clients) => {
    let left = count;
    const start = performance.now();
    await Promise.all(
      clients.map(async (client) => {
        while (left-- > 0) await client.send(next());
      }),
    );
    return (count * 1000) / (performance.now() - start);
  });

export async function withClients<T>(
  target: Target,
  count: number,
  act: (clients: readonly [RawClient, ...RawClient[]]) => Promise<T>,
): Promise<T> {
  const first = await openClient(target);
  const others = await Promise.all(Array.from({ length: count - 1 }, () => openClient(target)));
  try {
    return await act([first, ...others]);
  } finally {
    for (const client of [first, ...others]) client.close();
  }
}

/** The floor answers from now on as orc did. */
export async function teach(floor: Target, to: string, body: Buffer): Promise<void> {
  const told = JSON.stringify({ to, body: body.toString('base64') });
  await withClients(floor, 1, ([client]) =>
    client.send({ method: 'PUT', path: '/answers', body: told }),
  );
}

export function add(figures: Figures, name: string, value: number): void {
  figures.set(name, [...(figures.get(name) ?? []), value]);
}

/** On a node, so that the scheduler has nothing to do with it; and stays there. */
export const aPod = (i: number, sent = '') => ({
  ...{ apiVersion: 'v1', kind: 'Pod' },
  metadata: {
    ...{ name: `p${i}`, labels: { app: `a${i % 100}`, tier: 'front' } },
    annotations: { 'bench/sent': sent },
  },
  spec: {
    nodeName: `n${Math.abs(i) % nodes}`,
    tolerations: [{ operator: 'Exists' }],
    containers: [
      {
        ...{ name: 'web', image: 'registry.example/team/web:1.27' },
        env: [{ name: 'LISTEN', value: '0.0.0.0:8080' }],
        ports: [{ containerPort: 8080, name: 'http', protocol: 'TCP' }],
        resources: { requests: { cpu: '100m', memory: '64Mi' }, limits: { memory: '128Mi' } },
        readinessProbe: { httpGet: { path: '/ready', port: 'http' }, periodSeconds: 5 },
      },
    ],
  },
});
