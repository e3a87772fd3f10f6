import { parseJson } from '../base/json-text.ts';
import { isObject, own } from './normalize.ts';

/** What one needs of docker's config.json, which Secrets of type kubernetes.io/dockerconfigjson hold too. */
export interface DockerConfig {
  readonly logins: readonly RegistryLogin[];
  /** NAME of `docker-credential-NAME`, by host. */
  readonly credHelpers: Readonly<Record<string, unknown>>;
  /** The same, for every other host. */
  readonly credsStore: unknown;
}

/** The registry as written: a host, an URL, with a path perhaps. */
export type RegistryLogin = Login & Readonly<{ registry: string }>;

/** With {@link identityUser} the password is an identity token. */
type Login = Readonly<{ username: string; password: string }>;

/** In place of a user's name, as credential helpers have it. */
export const identityUser = '<token>';

/** undefined: it is no JSON object. */
export function parseDockerConfig(json: string): DockerConfig | undefined {
  const config = parseObject(json);
  if (config === undefined) return undefined;
  const { auths, credHelpers, credsStore } = config;
  return {
    logins: loginsIn(auths),
    credHelpers: isObject(credHelpers) ? credHelpers : {},
    credsStore,
  };
}

/** The older format, of type kubernetes.io/dockercfg: the logins only. */
export const parseDockercfg = (json: string) => loginsIn(parseObject(json));

/** undefined: none is in it, as where a helper keeps it. */
export function loginIn(entry: unknown): Login | undefined {
  const text = (name: string) => {
    const value = isObject(entry) ? own(entry, name) : undefined;
    return typeof value === 'string' && value !== '' ? value : undefined;
  };
  const identity = text('identitytoken');
  if (identity !== undefined) return { username: identityUser, password: identity };
  const [user, ...rest] = Buffer.from(text('auth') ?? '', 'base64')
    .toString()
    .split(':');
  const username = text('username') ?? user;
  return username ? { username, password: text('password') ?? rest.join(':') } : undefined;
}

const loginsIn = (auths: unknown): readonly RegistryLogin[] =>
  Object.entries(isObject(auths) ? auths : {}).flatMap(([registry, entry]) => {
    const login = loginIn(entry);
    return login === undefined ? [] : { registry, ...login };
  });

/** undefined: it is none. Its errors would show secrets. */
export function parseObject(json: string): Readonly<Record<string, unknown>> | undefined {
  const value = parseJson(json);
  return isObject(value) ? value : undefined;
}
