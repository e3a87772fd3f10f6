import { readFile } from 'node:fs/promises';
import { type Flag, type FlagValues, UsageError } from '../base/flags.ts';
import type { EtcdAccess } from './store/etcd-link.ts';

/** How etcd is reached, as flags say it: files by their paths. */
export interface EtcdConfig {
  readonly urls: readonly string[];
  readonly ca: string | undefined;
  readonly cert: string | undefined;
  readonly key: string | undefined;
  readonly user: string | undefined;
  readonly passwordFile: string | undefined;
}

export const etcdFlags: Readonly<Record<string, Flag>> = {
  'etcd-ca': { about: "authority of etcd's certificates, PEM", value: 'FILE' },
  'etcd-cert': { about: 'client certificate for etcd, PEM', value: 'FILE' },
  'etcd-key': { about: 'its key, PEM', value: 'FILE' },
  'etcd-user': { about: 'user of etcd', value: 'NAME' },
  'etcd-password-file': { about: "that user's password", value: 'FILE' },
};

/** @param flag that gave the URLs; undefined where it gave none. Throws UsageError. */
export function readEtcdConfig(
  given: FlagValues,
  flag: string,
  urls: readonly string[],
): EtcdConfig | undefined {
  const extra = Object.keys(etcdFlags).find((name) => given.has(name));
  if (urls.length === 0 && extra === undefined) return undefined;
  if (urls.length === 0) throw new UsageError(`--${extra} needs --${flag}`);
  const odd = urls.find((url) => !urlPattern.test(url));
  if (odd !== undefined)
    throw new UsageError(`--${flag} must be http://HOST:PORT or https://HOST:PORT, not ${odd}`);
  const secure = urls.filter((url) => url.startsWith('https:')).length;
  if (secure > 0 && secure < urls.length)
    throw new UsageError(`--${flag}: either all URLs are https, or none`);
  const tlsFlag = ['etcd-ca', 'etcd-cert', 'etcd-key'].find((name) => given.has(name));
  if (tlsFlag !== undefined && secure === 0)
    throw new UsageError(`--${tlsFlag} needs an https URL in --${flag}`);
  together(given, 'etcd-cert', 'etcd-key');
  together(given, 'etcd-user', 'etcd-password-file');
  return {
    urls,
    ca: given.one('etcd-ca'),
    cert: given.one('etcd-cert'),
    key: given.one('etcd-key'),
    user: given.one('etcd-user'),
    passwordFile: given.one('etcd-password-file'),
  };
}

const urlPattern = /^https?:\/\/(\[[0-9a-f:]+\]|[^\s/:@]+):\d{1,5}$/i;

function together(given: FlagValues, one: string, other: string): void {
  if (given.has(one) === given.has(other)) return;
  const [there, missing] = given.has(one) ? [one, other] : [other, one];
  throw new UsageError(`--${there} needs --${missing}`);
}

/** Reads the files. Throws UsageError. */
export async function loadEtcdAccess(config: EtcdConfig): Promise<EtcdAccess> {
  const { urls, ca, cert, key, user, passwordFile } = config;
  const password = passwordFile && (await contentOf('etcd-password-file', passwordFile)).toString();
  return {
    urls,
    ca: ca === undefined ? undefined : await contentOf('etcd-ca', ca),
    identity:
      cert === undefined || key === undefined
        ? undefined
        : {
            certificate: await contentOf('etcd-cert', cert),
            key: await contentOf('etcd-key', key),
          },
    user: user && password ? { name: user, password: password.trimEnd() } : undefined,
  };
}

async function contentOf(flag: string, path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (cause) {
    throw new UsageError(`--${flag}: ${path} can't be read`, { cause });
  }
}
