import { describe } from 'vitest';
import { containerPortContract } from '../../contract/container-port.contract.ts';
import { sandboxPortContract } from '../../contract/sandbox-port.contract.ts';
import { openRuntimeHost, type RuntimeHost } from '../../support/runtime-host.ts';
import { waitFor } from '../../support/wait-for.ts';

const scripts = {
  run: ['sleep', '1000'],
  'exit-3': ['sh', '-c', 'exit 3'],
  missing: ['missing'],
  cat: ['cat'],
};

describe('the runtime’s sandboxes', () =>
  sandboxPortContract(async () => {
    const host = await openRuntimeHost();
    return {
      sandboxes: host.runtime.sandboxes,
      lose: (uid) => killShim(host, uid),
      close: () => host.end(),
    };
  }));

describe('the runtime’s containers', () =>
  containerPortContract(async () => {
    const host = await openRuntimeHost();
    return {
      sandboxes: host.runtime.sandboxes,
      containers: host.runtime.containers,
      spec: (program, attempt) =>
        host.spec('', { id: { uid: 'a', name: 'web', attempt }, command: scripts[program] }),
      lose: (uid) => killShim(host, uid),
      close: () => host.end(),
    };
  }));

async function killShim(host: RuntimeHost, uid: string): Promise<void> {
  process.kill(host.shimPid(uid), 'SIGKILL');
  await waitFor('the loss to be seen', async () => {
    const found = await host.runtime.sandboxes.list();
    return found.some((sandbox) => sandbox.uid === uid && sandbox.state === 'lost');
  });
}
