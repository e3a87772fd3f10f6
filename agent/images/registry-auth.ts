import type { RegistryCredential } from '../ports.ts';

/** One challenge of a WWW-Authenticate header (RFC 9110 §11.6.1); scheme and parameter names in lower case. */
export interface AuthChallenge {
  readonly scheme: string;
  readonly parameters: Readonly<Record<string, string>>;
}

const token = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
const parameter = new RegExp(`^\\s*(${token})\\s*=\\s*(?:"((?:[^"\\\\]|\\\\.)*)"|(${token}))\\s*`);
const scheme = new RegExp(`^[\\s,]*(${token})(?=\\s|,|$)(?!\\s*=)`);
const maxHeaderBytes = 8192;

/** Every challenge in the header, in order. What can't be parsed ends the list. */
export function parseChallenges(header: string): readonly AuthChallenge[] {
  const challenges: AuthChallenge[] = [];
  let rest = header.slice(0, maxHeaderBytes);
  for (let match = scheme.exec(rest); match !== null; match = scheme.exec(rest)) {
    rest = rest.slice(match[0].length);
    const parameters: Record<string, string> = Object.create(null);
    for (let p = parameter.exec(rest); p !== null; p = parameter.exec(rest)) {
      parameters[String(p[1]).toLowerCase()] = p[2]?.replace(/\\(.)/g, '$1') ?? p[3] ?? '';
      rest = rest.slice(p[0].length);
      if (!rest.startsWith(',')) break;
      rest = rest.slice(1);
    }
    challenges.push({ scheme: String(match[1]).toLowerCase(), parameters });
  }
  return challenges;
}

export function basicAuthorization(credential: RegistryCredential): string {
  const pair = Buffer.from(`${credential.username}:${credential.password}`);
  return `Basic ${pair.toString('base64')}`;
}

/** Where to ask for a bearer token, or undefined if the challenge doesn't say. */
export function tokenUrl(challenge: AuthChallenge, repository: string): URL | undefined {
  const { realm, service, scope } = challenge.parameters;
  if (realm === undefined || !URL.canParse(realm)) return undefined;
  const url = new URL(realm);
  if (service !== undefined) url.searchParams.set('service', service);
  url.searchParams.set('scope', scope ?? `repository:${repository}:pull`);
  return url;
}

/** The credentials for a registry, in the order in which they are to be tried; docker's old names included. */
export function credentialsFor(
  registry: string,
  credentials: readonly RegistryCredential[],
): readonly RegistryCredential[] {
  return credentials.filter((credential) => credentialHost(credential.registry) === registry);
}

function credentialHost(name: string): string {
  const host = name
    .replace(/^https?:\/\//, '')
    .replace(/\/.*$/, '')
    .toLowerCase();
  const isDocker = host === 'index.docker.io' || host === 'registry-1.docker.io';
  return isDocker ? 'docker.io' : host;
}
