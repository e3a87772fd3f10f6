import { readFile } from 'node:fs/promises';
import { camelCase, text, UsageError, type ValuesOf } from '../base/flags.ts';
import type { EtcdAccess } from './store/etcd-link.ts';

export const etcdFlags = {
  'etcd-ca': text('FILE', "authority of etcd's certificates, PEM"),
  'etcd-cert': text('FILE', 'client certificate for etcd, PEM'),
  'etcd-key': text('FILE', 'its key, PEM'),
  'etcd-user': text('NAME', 'user of etcd'),
  'etcd-password-file': text('FILE', "that user's password"),
  'etcd-timeout': text(
    'SECONDS',
    'so long etcd may take to answer; a leader that is silent twice as long is followed by another (default: 2)',
  ).whole(1, 60),
};

type EtcdFlag = keyof typeof etcdFlags;

/** How etcd is reached, as flags say it: files by their paths. */
export type EtcdConfig = ValuesOf<typeof etcdFlags> & { readonly urls: readonly string[] };

/** @param flag that gave the URLs; undefined where it gave none. Throws UsageError. */
export function readEtcdConfig(
  given: ValuesOf<typeof etcdFlags>,
  flag: string,
  urls: readonly string[],
): EtcdConfig | undefined {
  const has = (name: EtcdFlag) => given[camelCase(name)] !== undefined;
  const needs = (one: EtcdFlag, other: EtcdFlag) => {
    if (has(one) && !has(other)) throw new UsageError(`--${one} needs --${other}`);
  };
  const extra = (Object.keys(etcdFlags) as EtcdFlag[]).find(has);
  if (urls.length === 0 && extra === undefined) return undefined;
  if (urls.length === 0) throw new UsageError(`--${extra} needs --${flag}`);
  const odd = urls.find((url) => !urlPattern.test(url));
  if (odd !== undefined)
    throw new UsageError(`--${flag} must be http://HOST:PORT or https://HOST:PORT, not ${odd}`);
  const secure = urls.filter((url) => url.startsWith('https:')).length;
  if (secure > 0 && secure < urls.length)
    throw new UsageError(`--${flag}: either all URLs are https, or none`);
  const tlsFlag = (['etcd-ca', 'etcd-cert', 'etcd-key'] as const).find(has);
  if (tlsFlag !== undefined && secure === 0)
    throw new UsageError(`--${tlsFlag} needs an https URL in --${flag}`);
  needs('etcd-cert', 'etcd-key');
  needs('etcd-key', 'etcd-cert');
  needs('etcd-user', 'etcd-password-file');
  needs('etcd-password-file', 'etcd-user');
  return { ...given, urls };
}

/** So long a leader is silent before another one takes over; undefined: as usual. */
export const silenceMsOf = (config: EtcdConfig | undefined): number | undefined =>
  config?.etcdTimeout && config.etcdTimeout * 2000;

const urlPattern = /^https?:\/\/(\[[0-9a-f:]+\]|[^\s/:@]+):\d{1,5}$/i;

/** Reads the files. Throws UsageError. */
export async function loadEtcdAccess(config: EtcdConfig): Promise<EtcdAccess> {
  const { urls, etcdCa, etcdCert, etcdKey, etcdUser: name } = config;
  const certificate = await contentOf('etcd-cert', etcdCert);
  const key = await contentOf('etcd-key', etcdKey);
  const password = (await contentOf('etcd-password-file', config.etcdPasswordFile))?.toString();
  return {
    urls,
    answerMs: config.etcdTimeout && config.etcdTimeout * 1000,
    ca: await contentOf('etcd-ca', etcdCa),
    identity: certificate && key && { certificate, key },
    user: name && password ? { name, password: password.trimEnd() } : undefined,
  };
}

async function contentOf(flag: EtcdFlag, path: string | undefined): Promise<Buffer | undefined> {
  if (path === undefined) return undefined;
  try {
    return await readFile(path);
  } catch (cause) {
    throw new UsageError(`--${flag}: ${path} can't be read`, { cause });
  }
}
