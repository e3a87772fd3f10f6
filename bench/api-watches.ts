import { setTimeout as sleep } from 'node:timers/promises';
import { waitFor } from '../test/support/wait-for.ts';
import type { Figures } from './api.ts';
import type { Peer } from './api-peers.ts';
import { add, aPod, withClients } from './api-writes.ts';
import { percentile } from './figures.ts';
import { openRawWatch } from './raw-client.ts';

const path = '/api/v1/namespaces/watched/pods';

/** One watch, then 1,000, of a namespace with ten pods. Gives the MB that the peer took for these. */
export async function measureWatches(peer: Peer, figures: Figures): Promise<number> {
  const before = await peer.memory();
  let after = before;
  for (const count of [1, 1000]) {
    const start = performance.now();
    const watches = await openWatches(peer, count);
    await waitFor('first events', () => watches.begun() === count, 60_000);
    if (count > 1) add(figures, '1,000 watches: all have begun, ms', performance.now() - start);
    after = await peer.memory();
    for (const perSecond of count > 1 ? [10, 100] : [100]) {
      const latencies = await watches.latencies(perSecond);
      for (const percent of [50, 99]) {
        const name = `${count} watches, ${perSecond} changes/s: PUT → event p${percent}, ms`;
        add(figures, name, percentile(latencies, percent));
      }
    }
    watches.close();
  }
  return after - before;
}

async function openWatches(peer: Peer, count: number) {
  let begun = 0;
  let seen: number[] = [];
  let wanted = false;
  const onLines = (chunk: Buffer, isFirst: boolean) => {
    if (isFirst) begun++;
    if (!wanted) return;
    const now = performance.now();
    for (let at = chunk.indexOf(mark); at >= 0; at = chunk.indexOf(mark, at + 1))
      seen.push(now - Number.parseFloat(chunk.toString('latin1', at + mark.length, at + 40)));
  };
  const open = () => {
    let isFirst = true;
    return openRawWatch(peer, {
      path: `${path}?watch=true`,
      onLines: (chunk) => {
        onLines(chunk, isFirst);
        isFirst = false;
      },
    });
  };
  const closes = await Promise.all(Array.from({ length: count }, open));
  return {
    begun: () => begun,
    /** From when a change was due to be sent to its arrival at each of the watches. */
    async latencies(perSecond: number): Promise<readonly number[]> {
      seen = [];
      wanted = true;
      const changes = 2 * perSecond;
      await sendChanges(peer, perSecond, changes);
      // What lies at the border of two TLS records isn't counted.
      const enough = 0.98 * changes * count;
      await waitFor('the last events', () => seen.length >= enough, 60_000);
      await sleep(200);
      wanted = false;
      return seen;
    },
    close() {
      for (const close of closes) close();
    },
  };
}

const mark = Buffer.from('"bench/sent":"');

/** Each when it is due, whether or not the one before has been answered; none waits for another's pod. */
const sendChanges = (peer: Peer, perSecond: number, changes: number): Promise<void> =>
  withClients(peer, 10, async (clients) => {
    const start = performance.now();
    const lines = clients.map(async (client, line) => {
      for (let i = line; i < changes; i += clients.length) {
        const due = start + (i * 1000) / perSecond;
        await sleep(Math.max(0, due - performance.now()));
        const body = JSON.stringify(aPod(line, due.toFixed(2)));
        await client.send({ method: 'PUT', path: `${path}/p${line}`, body });
      }
    });
    await Promise.all(lines);
  });
