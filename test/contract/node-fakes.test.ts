import { describe } from 'vitest';
import type { ContainerSpec } from '../../agent/ports.ts';
import { systemClock } from '../../base/clock.ts';
import { type ContainerSubject, containerPortContract } from './container-port.contract.ts';
import { fakeContainers } from './fakes/fake-containers.ts';
import { fakeSandboxes } from './fakes/fake-sandboxes.ts';
import { fakeVolumes } from './fakes/fake-volumes.ts';
import { type SandboxSubject, sandboxPortContract } from './sandbox-port.contract.ts';
import { volumePortContract } from './volume-port.contract.ts';

describe('fake sandboxes', () => sandboxPortContract(openSandboxes));
describe('fake containers', () => containerPortContract(openContainers));
describe('fake volumes', () =>
  volumePortContract(async () => ({ volumes: fakeVolumes(), close: async () => {} })));

async function openSandboxes(): Promise<SandboxSubject> {
  const sandboxes = fakeSandboxes();
  return { sandboxes, lose: async (uid) => sandboxes.lose(uid), close: async () => {} };
}

async function openContainers(): Promise<ContainerSubject> {
  const sandboxes = fakeSandboxes();
  const commands = { run: ['sleep'], 'exit-3': ['exit', '3'], missing: ['missing'] };
  return {
    sandboxes,
    containers: fakeContainers(sandboxes, systemClock()),
    spec: (program, attempt) => containerSpec(attempt, commands[program]),
    lose: async (uid) => sandboxes.lose(uid),
    close: async () => {},
  };
}

function containerSpec(attempt: number, command: readonly string[]): ContainerSpec {
  return {
    id: { uid: 'a', name: 'web', attempt },
    image: {
      id: 'sha256:1',
      digest: 'sha256:2',
      references: [],
      sizeBytes: 0,
      layers: [],
      config: {
        entrypoint: [],
        cmd: [],
        env: [],
        workingDir: '',
        user: '',
        volumes: [],
        stopSignal: undefined,
      },
    },
    command,
    args: undefined,
    env: [],
    workingDir: undefined,
    mounts: [],
    resources: {
      cpuRequestMilli: undefined,
      cpuLimitMilli: undefined,
      memoryLimitBytes: undefined,
      pidsLimit: undefined,
    },
    security: {
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
    },
    logPath: '/nowhere/0.log',
    terminal: false,
    stdin: false,
  };
}
