import { once } from 'node:events';
import { chmod, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { json } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { checkShape } from '../../api/check-shape.ts';
import { fieldPath } from '../../api/field-error.ts';
import { type ImageLine, type ImageRequest, imageRequest } from '../../api/node-images.ts';
import { errorChain } from '../../base/error-chain.ts';
import { acts } from './image-acts.ts';
import type { ImageDesk } from './image-desk.ts';

/** Serves `orc image` on a unix socket, which is root's alone. Gives how to stop. */
export async function serveImages(path: string, desk: ImageDesk): Promise<() => void> {
  // An import may take longer than Node's five minutes.
  const server = createServer({ requestTimeout: 0 }, (request, response) => {
    void answer(desk, request, response);
  });
  await rm(path, { force: true });
  server.listen(path);
  await once(server, 'listening');
  await chmod(path, 0o600);
  return () => {
    server.close();
    server.closeAllConnections();
  };
}

async function answer(desk: ImageDesk, request: IncomingMessage, response: ServerResponse) {
  const gone = new AbortController();
  for (const ending of ['close', 'error'])
    response.on(ending, () => gone.abort(new Error('nobody waits for it any more')));
  const say = (line: ImageLine) => {
    if (!gone.signal.aborted) response.write(`${JSON.stringify(line)}\n`);
  };
  try {
    const { act, asked } = await parseRequest(request);
    const call = { asked, archive: request, say, signal: gone.signal };
    const result = await act(call, desk);
    if (result instanceof Readable) {
      response.setHeader('content-type', 'application/x-tar');
      return await pipeline(result, response);
    }
    say({ result: result ?? null });
  } catch (error) {
    say({ error: errorChain(error) });
  }
  response.end();
}

async function parseRequest(request: IncomingMessage) {
  const { pathname, searchParams } = new URL(request.url ?? '', 'http://agent');
  const act = Object.hasOwn(acts, pathname) ? acts[pathname] : undefined;
  if (act === undefined) throw new Error(`this agent knows no ${pathname}`);
  const asked = pathname === '/import' ? Object.fromEntries(searchParams) : await json(request);
  const [wrong] = checkShape(imageRequest, asked, fieldPath());
  if (wrong) throw new Error(`${wrong.path}: ${wrong.message}`);
  return { act, asked: asked as ImageRequest };
}
