import type { Pod } from '../../api/pod.ts';

/** What a pod names of its namespace: all that its node may see of it. */
export interface NamedObjects {
  readonly configMaps: ReadonlySet<string>;
  readonly secrets: ReadonlySet<string>;
}

export function namedObjects({ spec }: Pod): NamedObjects {
  const containers = [...(spec.initContainers ?? []), ...spec.containers];
  const env = containers.flatMap((container) => container.env ?? []);
  const envFrom = containers.flatMap((container) => container.envFrom ?? []);
  const volumes = spec.volumes ?? [];
  return {
    configMaps: present([
      ...env.map(({ valueFrom }) => valueFrom?.configMapKeyRef?.name),
      ...envFrom.map(({ configMapRef }) => configMapRef?.name),
      ...volumes.map(({ configMap }) => configMap?.name),
    ]),
    secrets: present([
      ...env.map(({ valueFrom }) => valueFrom?.secretKeyRef?.name),
      ...envFrom.map(({ secretRef }) => secretRef?.name),
      ...volumes.map(({ secret }) => secret?.secretName),
      ...(spec.imagePullSecrets ?? []).map(({ name }) => name),
    ]),
  };
}

const present = (names: readonly (string | undefined)[]): ReadonlySet<string> =>
  new Set(names.filter((name) => name !== undefined));
