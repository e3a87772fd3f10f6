/** The agent's image store in a process of its own: node bench/image-child.ts DIRECTORY REGISTRY. */
import { openImageStore } from '../agent/images/image-store.ts';
import { systemClock } from '../base/clock.ts';
import { silentLog } from '../base/log.ts';
import { systemRng } from '../base/rng.ts';
import { nativeBinary } from '../native/binary.ts';
import { serveJson } from '../test/support/json-child.ts';

const [directory = '', registry = ''] = process.argv.slice(2);
const store = await openImageStore({
  directory,
  network: {
    insecure: [registry],
    proxySocket: undefined,
    connectTimeoutMs: 10_000,
    idleTimeoutMs: 30_000,
  },
  writer: [nativeBinary, 'orc-unpack'],
  clock: systemClock(),
  rng: systemRng(),
  log: silentLog,
});

serveJson({
  ready: () => {},
  async pull({ reference }: { reference: string }) {
    const request = { reference, credentials: [], onProgress: () => {} };
    await store.pull(request, new AbortController().signal);
  },
});
