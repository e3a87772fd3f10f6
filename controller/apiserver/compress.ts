import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { Exchange } from './fastify-app.ts';

/** Smaller answers gain nothing by it: as in Kubernetes. In characters. */
const minLength = 128 * 1024;

/** The answer's body for who can take it: the lowest level does nearly all, and in a thread of its own. */
export async function compressed(body: string, { request, reply }: Exchange) {
  const { 'accept-encoding': accepted = '' } = request.headers;
  if (body.length < minLength || !/\bgzip\b(?!\s*;\s*q=0)/.test(String(accepted))) return body;
  reply.header('content-encoding', 'gzip').header('vary', 'Accept-Encoding');
  return compress(body, { level: 1 });
}

const compress = promisify(gzip);
