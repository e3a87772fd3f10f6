import { parseDockerConfig, parseDockercfg } from '../../api/docker-config.ts';
import type { PodAssignment } from '../ledger/assignment.ts';
import type { RegistryCredential } from '../ports.ts';

/** From the pod's imagePullSecrets. Unreadable ones are passed over: the registry will say no. */
export function registryCredentials({
  pod,
  secrets,
}: PodAssignment): readonly RegistryCredential[] {
  return (pod.spec.imagePullSecrets ?? []).flatMap(({ name }) => {
    const { '.dockerconfigjson': config = '', '.dockercfg': older = '' } =
      secrets.get(name)?.data ?? {};
    return [
      ...(parseDockerConfig(decoded(config))?.logins ?? []),
      ...parseDockercfg(decoded(older)),
    ];
  });
}

const decoded = (base64: string) => Buffer.from(base64, 'base64').toString();
