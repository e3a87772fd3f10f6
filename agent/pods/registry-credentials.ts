import type { PodAssignment } from '../ledger/assignment.ts';
import type { RegistryCredential } from '../ports.ts';

/**
 * From the pod's imagePullSecrets (kubernetes.io/dockerconfigjson). Unreadable ones are passed over: the registry will
 * say no.
 */
export function registryCredentials({
  pod,
  secrets,
}: PodAssignment): readonly RegistryCredential[] {
  return (pod.spec.imagePullSecrets ?? []).flatMap(({ name }) => {
    const config = secrets.get(name)?.data?.['.dockerconfigjson'];
    return config === undefined ? [] : credentialsIn(Buffer.from(config, 'base64').toString());
  });
}

function credentialsIn(dockerConfig: string): readonly RegistryCredential[] {
  const auths = fieldOf(parsed(dockerConfig), 'auths');
  if (typeof auths !== 'object' || auths === null) return [];
  return Object.entries(auths).map(([registry, entry]) => ({ registry, ...login(entry) }));
}

function login(entry: unknown): Pick<RegistryCredential, 'username' | 'password'> {
  const text = (name: string) => {
    const value = fieldOf(entry, name);
    return typeof value === 'string' ? value : undefined;
  };
  const [user = '', ...rest] = Buffer.from(text('auth') ?? '', 'base64')
    .toString()
    .split(':');
  return { username: text('username') ?? user, password: text('password') ?? rest.join(':') };
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

const fieldOf = (value: unknown, name: string): unknown =>
  typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
