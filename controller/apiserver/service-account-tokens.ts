import { createHash, createPublicKey, type KeyObject, sign, verify } from 'node:crypto';
import { Pod } from '../../api/pod.ts';
import { ServiceAccount } from '../../api/service-account.ts';
import {
  authenticatedGroup,
  serviceAccountGroups,
  serviceAccountUser,
  type User,
} from '../../api/user-info.ts';
import type { Base } from '../../base/base.ts';
import { formatTime } from '../../base/clock.ts';
import type { CacheReads } from '../store/objects.ts';

export type ServiceAccountTokens = ReturnType<typeof serviceAccountTokens>;

interface Deps extends Pick<Base, 'clock' | 'rng'> {
  /** P-256, private; the same in all controllers of a cluster. */
  readonly key: KeyObject;
  readonly cache: CacheReads;
}

interface Wish {
  readonly account: ServiceAccount;
  /** The token is good only while it is there. */
  readonly pod: Pod | undefined;
  /** None: this API. */
  readonly audiences: readonly string[];
  readonly expirationSeconds: number;
}

/** Who it is, and for which of the wanted audiences; or what is wrong. */
type Verdict =
  | { readonly user: User; readonly audiences: readonly string[] }
  | { readonly error: string };

/** The API's own name, as in Kubernetes; also the audience of tokens for it. */
const issuer = 'https://kubernetes.default.svc.cluster.local';

/** JSON Web Tokens (RFC 7519) of ServiceAccounts, signed with ES256: nothing of them is stored. */
export function serviceAccountTokens({ key, cache, clock, rng }: Deps) {
  const publicKey = createPublicKey(key);
  const spki = publicKey.export({ type: 'spki', format: 'der' });
  const kid = createHash('sha256').update(spki).digest('base64url');
  const head = encode({ alg: 'ES256', kid });
  const claimsOf = remembering((token) => verifiedClaims(token, head, publicKey));
  return {
    issue(wish: Wish) {
      const claims = claimsFor(wish, { now: Math.floor(clock.now() / 1000), id: rng.uuid() });
      const text = `${head}.${encode(claims)}`;
      const signature = sign('sha256', Buffer.from(text), { key, dsaEncoding: 'ieee-p1363' });
      const expirationTimestamp = formatTime(claims.exp * 1000);
      return { token: `${text}.${signature.toString('base64url')}`, expirationTimestamp };
    },
    check(token: string, wanted: readonly string[] = []): Verdict {
      const claims = claimsOf(token);
      if (!claims) return { error: 'the token is not one of this cluster' };
      const asked = wanted.length > 0 ? wanted : [issuer];
      const audiences = asked.filter((one) => claims.aud.includes(one));
      const error =
        timeFlaw(claims, clock.now() / 1000) ??
        (audiences.length === 0 ? 'the token is for another audience' : goneFlaw(claims, cache));
      return error === undefined ? { user: userOf(claims), audiences } : { error };
    },
  };
}

const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');

type Claims = ReturnType<typeof claimsFor>;

function claimsFor(
  { account, pod, audiences, expirationSeconds }: Wish,
  { now, id }: { readonly now: number; readonly id: string },
) {
  const { namespace = '', name } = account.metadata;
  return {
    aud: audiences.length > 0 ? audiences : [issuer],
    ...{ exp: now + expirationSeconds, iat: now, iss: issuer, jti: id },
    'kubernetes.io': {
      namespace,
      pod: pod && named(pod),
      serviceaccount: named(account),
    },
    ...{ nbf: now, sub: serviceAccountUser(namespace, name) },
  };
}

const named = ({ metadata: { name, uid } }: ServiceAccount | Pod) => ({ name, uid });

/** A signature takes longer to check than all else of a request; what was good once stays so. */
const remembered = 1000;

function remembering(read: (token: string) => Claims | undefined) {
  const known = new Map<string, Claims>();
  return (token: string): Claims | undefined => {
    const claims = known.get(token) ?? read(token);
    if (claims) known.set(token, claims);
    const [oldest] = known.keys();
    if (known.size > remembered && oldest !== undefined) known.delete(oldest);
    return claims;
  };
}

/** Only our own header is taken, so no token chooses how it is checked. */
function verifiedClaims(token: string, head: string, key: KeyObject): Claims | undefined {
  const end = token.lastIndexOf('.');
  if (end < 0 || !token.startsWith(`${head}.`)) return undefined;
  const signed = Buffer.from(token.slice(0, end));
  const signature = Buffer.from(token.slice(end + 1), 'base64url');
  if (!verify('sha256', signed, { key, dsaEncoding: 'ieee-p1363' }, signature)) return undefined;
  return JSON.parse(Buffer.from(token.slice(head.length + 1, end), 'base64url').toString());
}

function timeFlaw({ exp, nbf }: Claims, nowSeconds: number): string | undefined {
  if (nowSeconds >= exp) return 'the token has expired';
  // Controllers' clocks may differ a little.
  return nowSeconds < nbf - 60 ? 'the token is not valid yet: compare the clocks' : undefined;
}

function goneFlaw(claims: Claims, cache: CacheReads): string | undefined {
  const { namespace, serviceaccount, pod } = claims['kubernetes.io'];
  const { name, uid } = serviceaccount;
  if (cache.get(ServiceAccount, { namespace, name })?.metadata.uid !== uid)
    return 'the ServiceAccount of the token is gone';
  if (pod && cache.get(Pod, { namespace, name: pod.name })?.metadata.uid !== pod.uid)
    return 'the pod of the token is gone';
  return undefined;
}

function userOf({ sub, jti, 'kubernetes.io': { namespace, serviceaccount, pod } }: Claims): User {
  const at = 'authentication.kubernetes.io';
  return {
    name: sub,
    uid: serviceaccount.uid,
    groups: [...serviceAccountGroups(namespace), authenticatedGroup],
    extra: {
      [`${at}/credential-id`]: [`JTI=${jti}`],
      ...(pod && { [`${at}/pod-name`]: [pod.name], [`${at}/pod-uid`]: [pod.uid] }),
    },
  };
}
