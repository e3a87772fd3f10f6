import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { Readable } from 'node:stream';
import type { FastifyInstance } from 'fastify';
import type { ControllerKeys } from '../api/join.ts';
import packageJson from '../package.json' with { type: 'json' };
import { onlyAdministrators } from './auth/authenticate.ts';
import { isOfLeader, tokensPrefix } from './store/keys.ts';
import type { Entry, Listing, Store } from './store/store.ts';

/** A whole store as of one revision, and the keys without which it can't be read. The same from SQLite and from etcd. */
export type Backup = Listing & { readonly keys: ControllerKeys };

/** What the first line says of the rest. */
interface Header {
  readonly orc: 'backup';
  readonly format: number;
  /** Of the orc that made it. */
  readonly version: string;
  readonly revision: number;
  readonly keys: ControllerKeys;
}

const format = 1;

/**
 * Lines of JSON: a header; [key, revision, value in base64] for each entry; {sha256} of all the bytes before. Who leads
 * isn't in it, nor are join tokens: a used one must not become good again.
 */
export function* formatBackup({ keys, revision, entries }: Backup): Generator<string> {
  const hash = createHash('sha256');
  const line = (content: unknown) => {
    const text = `${JSON.stringify(content)}\n`;
    hash.update(text);
    return text;
  };
  const { version } = packageJson;
  yield line({ orc: 'backup', format, version, revision, keys } satisfies Header);
  for (const { key, value, revision: at } of entries.filter(isKept))
    yield line([key, at, Buffer.from(value).toString('base64')]);
  yield `${JSON.stringify({ sha256: hash.digest('hex') })}\n`;
}

const isKept = ({ key }: Entry) => !isOfLeader(key) && !key.startsWith(tokensPrefix);

/** GET /orc/v1/backup: all that was acknowledged when it was asked for. A connection that breaks ends it midway. */
export const backupRoutes =
  (store: Store, readKeys: () => Promise<ControllerKeys>) => async (server: FastifyInstance) => {
    const options = { onRequest: onlyAdministrators('make backups') };
    server.get('/orc/v1/backup', options, async (_request, reply) => {
      const { entries, revision } = await store.list('/');
      const lines = formatBackup({ entries, revision, keys: await readKeys() });
      return reply.type('application/x-ndjson').send(Readable.from(lines));
    });
  };

/** Why a file can't be restored. */
class BackupError extends Error {
  override readonly name = 'BackupError';
  readonly reason: BackupReason;
  constructor(path: string, reason: BackupReason, cause?: unknown) {
    super(`${path}: ${backupReasons[reason]}`, { cause });
    this.reason = reason;
  }
}

const backupReasons = {
  Foreign: 'this is not a backup of orc',
  OtherFormat: 'another version of orc made this backup, in a format that this one does not know',
  CutOff: 'the backup is cut off: its end is missing',
  Damaged: 'the backup is damaged: its checksum does not fit',
} as const satisfies Record<string, string>;

type BackupReason = keyof typeof backupReasons;

/** All of it, checked. Throws BackupError, and the file system's errors. */
export async function readBackup(path: string): Promise<Backup> {
  const bytes = await readFile(path);
  const { format: found, revision, keys } = headerOf(path, bytes);
  if (found !== format) throw new BackupError(path, 'OtherFormat');
  const end = bytes.lastIndexOf('\n', -2) + 1;
  const [, sum] = /^\{"sha256":"([0-9a-f]{64})"\}\n$/.exec(bytes.toString('latin1', end)) ?? [];
  if (sum === undefined) throw new BackupError(path, 'CutOff');
  const hash = createHash('sha256').update(bytes.subarray(0, end)).digest('hex');
  if (hash !== sum) throw new BackupError(path, 'Damaged');
  return { keys, revision, entries: [...linesOf(bytes.subarray(0, end))].slice(1).map(entryOf) };
}

function headerOf(path: string, bytes: Buffer): Header {
  const [line = ''] = linesOf(bytes);
  if (!line.startsWith('{"orc":"backup",')) throw new BackupError(path, 'Foreign');
  try {
    return JSON.parse(line) as Header;
  } catch (cause) {
    throw new BackupError(path, bytes.includes('\n') ? 'Damaged' : 'CutOff', cause);
  }
}

/** One by one: all of it may be longer than a string can be. */
function* linesOf(bytes: Buffer): Generator<string> {
  for (let at = 0; at < bytes.length; ) {
    const end = bytes.indexOf('\n', at);
    yield bytes.toString('latin1', at, end < 0 ? bytes.length : end);
    at = end < 0 ? bytes.length : end + 1;
  }
}

function entryOf(line: string): Entry {
  const [key, revision, value] = JSON.parse(line) as readonly [string, number, string];
  return { key, revision, value: Buffer.from(value, 'base64') };
}
