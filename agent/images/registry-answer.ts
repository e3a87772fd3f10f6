import type { Dispatcher } from 'undici';
import { ImageError, type ImageErrorReason } from './image-error.ts';
import { isObject } from './manifest.ts';
import type { ImageReference } from './reference.ts';

export type Answer = Dispatcher.ResponseData;

const maxErrorBytes = 64 * 1024;
const maxRetryAfterMs = 30_000;

/** The whole body, if it is no longer than this. Throws ImageError TooLarge. */
export async function readBounded(answer: Answer, maxBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of answer.body) {
    bytes += (chunk as Buffer).length;
    if (bytes > maxBytes) {
      answer.body.destroy();
      throw new ImageError('TooLarge', `the registry sent more than ${maxBytes} bytes`);
    }
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks);
}

/**
 * A registry's "no" in its own words: status, code and message (distribution-spec, "Error codes").
 * The status says why, even if the words are cut off or endless.
 */
export async function answerError(answer: Answer, to: ImageReference): Promise<ImageError> {
  const body = await readBounded(answer, maxErrorBytes).catch(() => Buffer.alloc(0));
  const { code, message } = errorBody(body);
  const words = [answer.statusCode, code, message].filter((part) => part !== '').join(' ');
  const text = `registry ${to.registry} answered ${words} for ${to.repository}`;
  const wait = parseRetryAfter(answer.headers['retry-after']);
  return new ImageError(reasonOf(answer.statusCode), text, { retryAfterMs: wait });
}

function reasonOf(status: number): ImageErrorReason {
  if (status === 401 || status === 403) return 'Unauthorized';
  if (status === 404) return 'ManifestUnknown';
  if (status === 429) return 'TooManyRequests';
  return status >= 500 ? 'RegistryUnavailable' : 'RegistryError';
}

function errorBody(bytes: Buffer): { code: string; message: string } {
  try {
    const body: unknown = JSON.parse(bytes.toString('utf8'));
    const first = isObject(body) && Array.isArray(body.errors) ? body.errors[0] : undefined;
    if (isObject(first)) return { code: word(first.code), message: word(first.message) };
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  return { code: '', message: bytes.toString('utf8').trim().slice(0, 200) };
}

function word(value: unknown): string {
  return typeof value === 'string' ? value.slice(0, 500) : '';
}

function parseRetryAfter(header: string | string[] | undefined): number | undefined {
  const seconds = Number(header);
  if (header === undefined || !Number.isFinite(seconds) || seconds < 0) return undefined;
  return Math.min(seconds * 1000, maxRetryAfterMs);
}
