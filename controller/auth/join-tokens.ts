import { createHash, timingSafeEqual } from 'node:crypto';
import { formatJoinToken, type JoinUse, parseJoinToken } from '../../api/join.ts';
import type { Base } from '../../base/base.ts';
import { tokensPrefix } from '../store/keys.ts';
import type { Store } from '../store/store.ts';

export type JoinTokens = ReturnType<typeof joinTokens>;

export type TokenVerdict = 'valid' | 'malformed' | 'unknown' | 'expired' | 'used' | 'otherUse';

export interface JoinTokensDeps extends Pick<Base, 'clock' | 'rng'> {
  readonly store: Store;
  /** publicKeyHash of the authority. */
  readonly caHash: string;
}

const defaultTtlMs = 60 * 60 * 1000;
/** So long an expired token is still told apart from a wrong one. */
const rememberedMs = 24 * 60 * 60 * 1000;

/**
 * Join tokens: any number of nodes may join with one until it expires; one controller with one. The store has only its
 * hash.
 */
export const joinTokens = (deps: JoinTokensDeps) => ({
  /** The whole token, shown once. */
  async create(use: JoinUse, ttlMs = defaultTtlMs) {
    await forgetExpired(deps);
    const id = deps.rng.bytes(6).toString('hex');
    const secret = deps.rng.bytes(32).toString('base64url');
    const expiresAtMs = deps.clock.now() + ttlMs;
    const record: TokenRecord = { hash: hashOf(secret).toString('hex'), expiresAtMs, use };
    await deps.store.commit({
      expect: [{ key: tokensPrefix + id, revision: 0 }],
      puts: [{ key: tokensPrefix + id, value: encode(record) }],
      deletes: [],
    });
    return { token: formatJoinToken({ id, secret, caHash: deps.caHash }), expiresAtMs };
  },
  /** A controller's is used up by this. */
  check: (token: string, use: JoinUse) => check(deps, token, use),
});

type TokenRecord = Readonly<{ hash: string; expiresAtMs: number; use: JoinUse; isUsed?: boolean }>;

async function check({ store, clock }: JoinTokensDeps, text: string, use: JoinUse) {
  const token = parseJoinToken(text);
  if (!token) return 'malformed';
  const entry = await store.get(tokensPrefix + token.id);
  const record = entry && decode(entry.value);
  const hash = Buffer.from(record?.hash ?? '0'.repeat(64), 'hex');
  const isRight = timingSafeEqual(hashOf(token.secret), hash);
  if (!record || !isRight) return 'unknown';
  if (record.use !== use) return 'otherUse';
  if (record.isUsed) return 'used';
  if (clock.now() >= record.expiresAtMs) return 'expired';
  if (use === 'node') return 'valid';
  const { key, revision } = entry;
  const outcome = await store.commit({
    expect: [{ key, revision }],
    puts: [{ key, value: encode({ ...record, isUsed: true }) }],
    deletes: [],
  });
  return outcome.committed ? 'valid' : 'used';
}

async function forgetExpired({ store, clock }: JoinTokensDeps): Promise<void> {
  const { entries } = await store.list(tokensPrefix);
  const deletes = entries
    .filter(({ value }) => clock.now() > decode(value).expiresAtMs + rememberedMs)
    .map(({ key }) => key);
  if (deletes.length > 0) await store.commit({ expect: [], puts: [], deletes });
}

/** A random 256-bit secret needs no salt and no slow hash. */
const hashOf = (secret: string) => createHash('sha256').update(secret).digest();

const encode = (record: TokenRecord) => Buffer.from(JSON.stringify(record));
const decode = (value: Uint8Array) => JSON.parse(Buffer.from(value).toString()) as TokenRecord;
