/** An image store in a process of its own, which may be killed. */
import { type ImageStore, openImageStore } from '../../agent/images/image-store.ts';
import { systemClock } from '../../base/clock.ts';
import { silentLog } from '../../base/log.ts';
import { systemRng } from '../../base/rng.ts';
import { nativeBinary } from '../../native/binary.ts';
import { serveJson } from './json-child.ts';

let store: ImageStore | undefined;

serveJson({
  async open({ directory, registry }: { readonly directory: string; readonly registry: string }) {
    const network = { insecure: [registry], proxySocket: undefined };
    store = await openImageStore({
      directory,
      network: { ...network, connectTimeoutMs: 2000, idleTimeoutMs: 5000 },
      writer: [nativeBinary, 'orc-unpack'],
      ...{ clock: systemClock(), rng: systemRng(), log: silentLog },
    });
  },
  find: ({ reference }: { readonly reference: string }) => store?.find(reference),
  pull: ({ reference }: { readonly reference: string }) =>
    store?.pull({ reference, credentials: [], onProgress: () => {} }, new AbortController().signal),
});
