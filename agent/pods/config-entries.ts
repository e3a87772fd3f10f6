import type { PodAssignment } from '../ledger/assignment.ts';

export interface ConfigReference {
  readonly kind: 'ConfigMap' | 'Secret';
  readonly name: string;
  readonly optional?: boolean | undefined;
}

/** Something that a pod names isn't there, in Kubernetes' words. */
export class ConfigProblem extends Error {
  readonly reason = 'CreateContainerConfigError';
}

/** `data`, by key; of an optional object that isn't there nothing. Throws ConfigProblem. */
export function configEntries(
  { configMaps, secrets }: PodAssignment,
  { kind, name, optional }: ConfigReference,
): ReadonlyMap<string, Buffer> {
  const object = kind === 'ConfigMap' ? configMaps.get(name) : secrets.get(name);
  if (!object && !optional) throw new ConfigProblem(`${kind.toLowerCase()} "${name}" not found`);
  return decoded(object?.data, kind === 'ConfigMap' ? 'utf8' : 'base64');
}

export const decoded = (
  data: Readonly<Record<string, string>> = {},
  encoding: BufferEncoding = 'base64',
): ReadonlyMap<string, Buffer> =>
  new Map(Object.entries(data).map(([key, text]) => [key, Buffer.from(text, encoding)]));
