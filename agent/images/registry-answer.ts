import type { Dispatcher } from 'undici';
import { parseObject } from '../../api/docker-config.ts';
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
  const wait = retryAfterMs(answer.headers);
  return new ImageError(reasonOf(answer.statusCode), text, { retryAfterMs: wait });
}

function reasonOf(status: number): ImageErrorReason {
  if (status === 401 || status === 403) return 'Unauthorized';
  if (status === 404) return 'ManifestUnknown';
  if (status === 429) return 'TooManyRequests';
  return status >= 500 ? 'RegistryUnavailable' : 'RegistryError';
}

function errorBody(bytes: Buffer): { code: string; message: string } {
  const text = bytes.toString('utf8');
  const { errors } = parseObject(text) ?? {};
  const first: unknown = Array.isArray(errors) ? errors[0] : undefined;
  if (isObject(first)) return { code: word(first.code), message: word(first.message) };
  return { code: '', message: text.trim().slice(0, 200) };
}

const word = (value: unknown): string => (typeof value === 'string' ? value.slice(0, 500) : '');

/** Seconds, or a date (RFC 9110 §10.2.3): by the registry's own clock, as ours may be another. */
function retryAfterMs({ 'retry-after': when, date }: Answer['headers']): number | undefined {
  const seconds = Number(when);
  const ms = Number.isNaN(seconds)
    ? Date.parse(String(when)) - Date.parse(String(date))
    : seconds * 1000;
  return ms >= 0 ? Math.min(ms, maxRetryAfterMs) : undefined;
}
