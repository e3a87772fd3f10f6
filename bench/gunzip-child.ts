/** Undoes gzip with Node's zlib, for bench/image-floor.ts. */
import { createReadStream } from 'node:fs';
import { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { serveJson } from '../test/support/json-child.ts';

serveJson({
  ready: () => {},
  gunzip: ({ file }: { file: string }) =>
    pipeline(
      createReadStream(file, { highWaterMark: 1024 * 1024 }),
      createGunzip({ chunkSize: 256 * 1024 }),
      new Writable({ write: (_chunk, _encoding, done) => done() }),
    ),
});
