import type { Figures } from './api.ts';
import type { Peer } from './api-peers.ts';
import { add, addRates, teach, withClients } from './api-writes.ts';
import type { RawClient, RawRequest } from './raw-client.ts';

const json = { method: 'GET', path: '/api/v1/pods', accept: 'application/json' };
const table = { ...json, accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' };
const lists: Readonly<Record<string, RawRequest>> = {
  'list of 10,000, JSON': json,
  'list of 10,000, Table': table,
};

/** Of a controller that has just been started. */
export async function measureLists(
  { orc, floor }: Readonly<Record<'orc' | 'floor', Peer>>,
  figures: Readonly<Record<'orc' | 'floor', Figures>>,
): Promise<void> {
  add(figures.orc, 'resident with 10,010 pods, started anew, MB', await orc.memory());
  const get = { ...json, path: '/api/v1/namespaces/default/pods/p7' };
  const pages = await withClients(orc, 1, async ([client]) => {
    await teach(floor, keyOf(get), (await client.send(get)).body);
    for (const [name, wanted] of Object.entries(lists)) {
      add(figures.orc, `${name}, first, ms`, await ms(client, [wanted]));
      await teach(floor, keyOf(wanted), (await client.send(wanted)).body);
    }
    return followPages(client, floor);
  });
  for (const [peer, known] of [
    [orc, figures.orc],
    [floor, figures.floor],
  ] as const)
    await withClients(peer, 1, async ([client]) => {
      for (const [name, wanted] of Object.entries(lists)) {
        add(known, `${name}, again, ms`, await ms(client, [wanted]));
        add(known, `${name}, again, gzip, ms`, await ms(client, [{ ...wanted, gzip: true }]));
      }
      add(known, 'the same by 500, as kubectl, ms', await ms(client, pages));
      // Just started, or the compiler would be measured.
      await addRates(peer, new Map(), { what: 'get', counts: [500, 4000], next: () => get });
      await addRates(peer, known, { what: 'get', counts: [1000, 8000], next: () => get });
    });
  add(figures.orc, 'resident after lists, MB', await orc.memory());
}

/** How the floor looks up what it was told. */
const keyOf = ({ path, accept }: RawRequest) => `${path} ${accept}`;

/** As kubectl asks for all. */
async function followPages(client: RawClient, floor: Peer): Promise<readonly RawRequest[]> {
  const pages: RawRequest[] = [];
  for (let token: string | undefined = ''; token !== undefined; ) {
    const next = token === '' ? '' : `&continue=${token}`;
    const page = { ...table, path: `/api/v1/pods?limit=500${next}` };
    const { body } = await client.send(page);
    await teach(floor, keyOf(page), body);
    token = /"continue":"([^"]+)"/.exec(body.toString('latin1', 0, 500))?.[1];
    pages.push({ ...page, gzip: true });
  }
  return pages;
}

async function ms(client: RawClient, wanted: readonly RawRequest[]): Promise<number> {
  const start = performance.now();
  for (const one of wanted) await client.send(one);
  return performance.now() - start;
}
