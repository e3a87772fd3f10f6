import type { ContainerSecurity, ContainerSpec, Image, ImageConfig } from '../../agent/ports.ts';

export const noLimits = {
  cpuRequestMilli: undefined,
  cpuLimitMilli: undefined,
  memoryLimitBytes: undefined,
  pidsLimit: undefined,
} as const;

export const ordinarySecurity: ContainerSecurity = {
  privileged: false,
  runAsUser: undefined,
  runAsGroup: undefined,
  runAsNonRoot: false,
  supplementalGroups: [],
  fsGroup: undefined,
  capabilitiesAdd: [],
  capabilitiesDrop: [],
  readOnlyRootFilesystem: false,
  allowPrivilegeEscalation: true,
  seccomp: 'RuntimeDefault',
};

export function imageOf(layers: readonly string[], config: Partial<ImageConfig> = {}): Image {
  return {
    id: `sha256:${'1'.repeat(64)}`,
    digest: `sha256:${'2'.repeat(64)}`,
    references: ['registry.test/busybox:1'],
    sizeBytes: 1,
    layers,
    config: {
      entrypoint: [],
      cmd: [],
      env: [],
      workingDir: '',
      user: '',
      volumes: [],
      stopSignal: undefined,
      ...config,
    },
  };
}

/** Container `web` of pod `a`: what a pod without any wishes leads to. */
export function containerSpec(over: Partial<ContainerSpec> = {}): ContainerSpec {
  return {
    id: { uid: 'a', name: 'web', attempt: 0 },
    image: imageOf([]),
    command: ['/bin/true'],
    args: undefined,
    env: [],
    workingDir: undefined,
    mounts: [],
    resources: noLimits,
    security: ordinarySecurity,
    logPath: '/nowhere/0.log',
    terminal: false,
    stdin: 'none',
    ...over,
  };
}
