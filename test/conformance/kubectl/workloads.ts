import { expect } from 'vitest';
import { Deployment } from '../../../api/deployment.ts';
import { deployment } from './manifests.ts';
import type { Conform } from './shell.ts';

/** scale and rollout, of a Deployment whose loops run. */
export function workloadCommands(conform: Conform): void {
  conform(
    'scale: sets how many, if there are as many as one thinks',
    async ({ ok, fails, stored }) => {
      await ok('apply -f -', { input: deployment('scaled', 'web:1', 1) });
      expect(await ok('scale deploy scaled --replicas=2')).toBe('deployment.apps/scaled scaled\n');
      expect(await ok('scale deploy scaled --current-replicas=2 --replicas=3')).toBe(
        'deployment.apps/scaled scaled\n',
      );
      expect((await stored(Deployment, 'scaled'))?.spec.replicas).toBe(3);
      expect(await fails('scale deploy scaled --current-replicas=2 --replicas=1')).toBe(
        'error: Expected replicas to be 2, was 3\n',
      );
      expect(await ok('scale deploy scaled --replicas=9 --dry-run=server')).toBe(
        'deployment.apps/scaled scaled (server dry run)\n',
      );
      expect((await stored(Deployment, 'scaled'))?.spec.replicas).toBe(3);
      expect(await fails('scale deploy scaled --replicas=-1')).toContain(
        '--replicas=COUNT flag is required',
      );
      await ok('delete deploy scaled');
    },
  );

  conform('rollout status, history, restart, undo', async ({ ok, stored }) => {
    const name = 'rolled';
    const change = (image: string, why: string) => {
      const manifest = deployment(name, image);
      const annotations = { 'kubernetes.io/change-cause': why };
      return { ...manifest, metadata: { ...manifest.metadata, annotations } };
    };
    await ok('apply -f -', { input: change('web:1', 'first') });
    expect(await ok('rollout status deploy/rolled --timeout=30s')).toMatch(
      /(^|\n)deployment "rolled" successfully rolled out\n$/,
    );
    await ok('apply -f -', { input: change('web:2', 'second') });
    await ok('rollout status deploy/rolled --timeout=30s');
    expect(await ok('rollout history deploy/rolled')).toBe(
      'deployment.apps/rolled \nREVISION  CHANGE-CAUSE\n1         first\n2         second\n\n',
    );
    const second = await ok('rollout history deploy/rolled --revision=1');
    expect(second).toMatch(/^deployment\.apps\/rolled with revision #1\nPod Template:\n/);
    expect(second).toMatch(/\n +Image:\tweb:1\n/);
    expect(await ok('rollout undo deploy/rolled --dry-run=server')).toContain('(server dry run)');
    expect(await ok('rollout undo deploy/rolled')).toBe('deployment.apps/rolled rolled back\n');
    await ok('rollout status deploy/rolled --timeout=30s');
    expect((await stored(Deployment, name))?.spec.template.spec.containers[0]?.image).toBe('web:1');
    expect(await ok('rollout history deploy/rolled')).toMatch(/\n2 +second\n3 +first\n\n$/);
    expect(await ok('rollout undo deploy/rolled --to-revision=2')).toBe(
      'deployment.apps/rolled rolled back\n',
    );
    expect(await ok('rollout restart deploy/rolled')).toBe('deployment.apps/rolled restarted\n');
    expect((await stored(Deployment, name))?.spec.template.metadata?.annotations).toHaveProperty([
      'kubectl.kubernetes.io/restartedAt',
    ]);
    await ok('rollout status deploy/rolled --timeout=30s');
  });

  conform(
    'rollout pause, resume: changes wait',
    async ({ ok, fails, stored, world, namespace, until }) => {
      expect(await ok('rollout pause deploy/rolled')).toBe('deployment.apps/rolled paused\n');
      expect(await fails('rollout pause deploy/rolled')).toBe(
        'error: deployments.apps "rolled" is already paused\n',
      );
      await ok('set image deploy/rolled web=web:9');
      expect(await fails('rollout restart deploy/rolled')).toContain(
        "can't restart paused deployment",
      );
      expect(await ok('get deploy rolled -o jsonpath={.status.updatedReplicas}')).not.toBe('2');
      expect(await ok('rollout resume deploy/rolled')).toBe('deployment.apps/rolled resumed\n');
      await ok('rollout status deploy/rolled --timeout=30s');
      expect((await stored(Deployment, 'rolled'))?.spec.paused ?? false).toBe(false);
      await until(
        'all are new',
        () =>
          world.cache.get(Deployment, { namespace, name: 'rolled' })?.status.updatedReplicas === 2,
      );
      await ok('delete deploy rolled');
    },
  );
}
