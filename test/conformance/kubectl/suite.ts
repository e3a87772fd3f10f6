import { mkdir } from 'node:fs/promises';
import { afterAll, beforeAll, beforeEach, describe } from 'vitest';
import type { Store } from '../../../controller/store/store.ts';
import { type ClusterWorld, openClusterWorld } from '../../support/cluster-world.ts';
import type { Kubectl } from '../../support/kubectl.ts';
import { declarativeCommands } from './declarative.ts';
import { deletingCommands } from './deleting.ts';
import { imperativeCommands } from './imperative.ts';
import { nodeCommands } from './nodes.ts';
import { podCommands } from './pods.ts';
import { readingCommands } from './reading.ts';
import { conforming, openShell, type Shell } from './shell.ts';
import { workloadCommands } from './workloads.ts';

/**
 * Every kubectl command that concerns a kind that orc serves: what it prints and what it does, as with Kubernetes. All versions run
 * at the same time against one server, each in a namespace of its own.
 */
export function kubectlSuite(
  name: string,
  { kubectls, openStore }: { kubectls: readonly Kubectl[]; openStore: () => Promise<Store> },
): void {
  describe(name, () => {
    let world: ClusterWorld;
    const shells: Shell[] = [];

    beforeAll(async () => {
      world = await openClusterWorld(await openStore());
      for (const kubectl of kubectls) {
        const shell = openShell(world, kubectl);
        shells.push(shell);
        await mkdir(shell.file(''), { recursive: true });
        await world.addNode(shell.node);
        await world.addNamespace(shell.namespace);
      }
    });
    afterAll(() => world?.close());
    beforeEach(({ skip }) => skip(kubectls.length === 0, 'no kubectl.1.x in PATH or KUBECTL_DIR'));

    const conform = conforming(() => shells);
    describe('declares', () => declarativeCommands(conform));
    describe('reads', () => readingCommands(conform));
    describe('changes', () => imperativeCommands(conform));
    describe('rolls out', () => workloadCommands(conform));
    describe('reaches into pods', () => podCommands(conform));
    describe('keeps nodes', () => nodeCommands(conform));
    describe('deletes', () => deletingCommands(conform));
  });
}
