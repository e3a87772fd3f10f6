import { describe } from 'vitest';
import { systemClock } from '../../base/clock.ts';
import { containerSpec } from '../support/container-spec.ts';
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
  const commands = { run: ['sleep'], 'exit-3': ['exit', '3'], missing: ['missing'], cat: ['cat'] };
  return {
    sandboxes,
    containers: fakeContainers(sandboxes, systemClock()),
    spec: (program, attempt) =>
      containerSpec({ id: { uid: 'a', name: 'web', attempt }, command: commands[program] }),
    lose: async (uid) => sandboxes.lose(uid),
    close: async () => {},
  };
}
