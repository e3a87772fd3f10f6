import { Metadata, Server, ServerCredentials, type ServiceError, status } from '@grpc/grpc-js';
import { afterEach, expect, it } from 'vitest';
import { KVService, RangeResponse } from '../../../../api/generated/etcd.ts';
import { systemClock } from '../../../../base/clock.ts';
import { EtcdLink } from '../../../../controller/store/etcd-link.ts';

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.forceShutdown();
});

/** A member that answers `range` with these errors, one after the other, and then well. */
async function member(...errors: readonly string[]) {
  const left = [...errors];
  let asked = 0;
  const server = new Server();
  servers.push(server);
  server.addService(
    { range: KVService.range },
    {
      range: (_: unknown, answer: (error: ServiceError | null, value?: RangeResponse) => void) => {
        asked++;
        const details = left.shift();
        if (details === undefined) return answer(null, RangeResponse.decode(new Uint8Array()));
        const code = status.UNAVAILABLE;
        answer(Object.assign(new Error(details), { code, details, metadata: new Metadata() }));
      },
    },
  );
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    );
  });
  return { url: `http://127.0.0.1:${port}`, asked: () => asked };
}

const request = { key: 'a', rangeEnd: '', revision: 0, limit: 1 };

it.each([
  ['etcdserver: leader changed', [2, 0]],
  ['etcdserver: no leader', [1, 1]],
])('asks after "%s" these members so often: %j', async (details, expected) => {
  const members = [await member(details), await member()];
  const link = new EtcdLink({ urls: members.map(({ url }) => url) }, systemClock());
  await link.call(KVService.range, request);
  await link.close();
  expect(members.map(({ asked }) => asked())).toEqual(expected);
});
