import { readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect } from 'vitest';
import { Pod } from '../../../api/pod.ts';
import { pod } from './manifests.ts';
import type { Conform } from './shell.ts';

/** logs, exec, attach, run --attach, cp, port-forward, debug, top. The pods are this machine: support/local-pod-access.ts. */
export function podCommands(conform: Conform): void {
  conform(
    'logs: of a pod, its end, of all that match',
    async ({ ok, fails, node, world, namespace }) => {
      const asked = () =>
        world.pods.seen.logs.filter((one) => one.pod.namespace === namespace).at(-1)?.options;
      await ok('apply -f -', { input: pod('main', node) });
      await ok('wait --for=condition=Ready pod/main --timeout=10s');
      expect(await ok('logs main')).toBe('line 1\nline 2\nline 3\n');
      expect(await ok('logs main --tail=2 --since=1h --timestamps')).toBe('line 1\nline 2\n');
      expect(asked()).toMatchObject({ tailLines: 2, timestamps: true, follow: false });
      expect(Date.now() - (asked()?.sinceMs ?? 0)).toBeGreaterThanOrEqual(3_600_000);
      expect(await ok('logs -f main -c main --tail=1')).toBe('line 1\n');
      expect(asked()).toMatchObject({ container: 'main', follow: true, tailLines: 1 });
      expect(await ok('logs -p main --tail=1 --limit-bytes=7')).toBe('line 1\n');
      expect(asked()).toMatchObject({ previous: true, limitBytes: 7 });
      expect(await ok('logs -l app=main --prefix --tail=1')).toBe('[pod/main/main] line 1\n');
      expect(await ok('logs main --all-containers --tail=1')).toBe('line 1\n');
      expect(await ok('logs deploy/site --tail=1')).toContain('line 1\n');
      expect(await fails('logs nothing')).toContain(
        // Since 1.30 with more words before and behind.
        'rror from server (NotFound): pods "nothing" not found',
      );
      expect(await fails('logs main -c other')).toMatch(
        /container other is not valid for pod main/,
      );
    },
  );

  conform('exec: output, errors, the exit code, input', async ({ ok, run, fails }) => {
    const shell = await run(['exec', 'main', '--', 'sh', '-c', 'echo out; echo err >&2; exit 3']);
    expect(shell).toEqual({
      code: 3,
      out: 'out\n',
      err: 'err\ncommand terminated with exit code 3\n',
    });
    expect(await ok('exec -i main -- cat', { input: 'through and back' })).toBe('through and back');
    expect(await ok('exec deploy/site -- echo here')).toBe('here\n');
    expect(await fails('exec nothing -- true')).toBe(
      'Error from server (NotFound): pods "nothing" not found\n',
    );
    expect(await fails('exec main -c other -- true')).toMatch(
      /container other is not valid for pod main|container not found/,
    );
    const many = 4 * 1024 * 1024;
    expect((await ok(`exec main -- head -c ${many} /dev/zero`)).length).toBe(many);
    expect((await ok('exec -i main -- wc -c', { input: Buffer.alloc(many) })).trim()).toBe(
      String(many),
    );
  });

  conform('attach, run --attach', async ({ ok, start, until, world, namespace }) => {
    expect(await ok('attach -i -q main', { input: 'to and fro\n' })).toBe('to and fro\n');
    const ran = start('run attached --image=main:1 --restart=Never --attach -i --quiet', {
      input: 'hello\n',
    });
    await until('it is attached', () => ran.out().includes('hello\n'));
    // The process ended with 7, and this is what the node says of it.
    const key = { namespace, name: 'attached' };
    await world.objects.modify(Pod, { key, part: 'status' }, ({ status, ...rest }) => ({
      ...rest,
      status: {
        ...status,
        phase: 'Failed' as const,
        containerStatuses: (status.containerStatuses ?? []).map((one) => ({
          ...{ ...one, ready: false, state: { terminated: { exitCode: 7, reason: 'Error' } } },
        })),
      },
    }));
    expect(await ran.ended).toMatchObject({ code: 7, out: 'hello\n' });
    await ok('delete pod attached');
  });

  conform('cp: there and back', async ({ ok, file }) => {
    const bytes = Buffer.from(Array.from({ length: 100_000 }, (_, i) => i % 251));
    await writeFile(file('sent'), bytes);
    await ok(['cp', file('sent'), `main:${file('arrived')}`]);
    expect(await readFile(file('arrived'))).toEqual(bytes);
    await ok(['cp', `main:${file('arrived')}`, file('returned')]);
    expect(await readFile(file('returned'))).toEqual(bytes);
  });

  conform(
    'port-forward: leads to the pod, directly and through a Service',
    async ({ start, until, namespace }) => {
      const server = createServer((_, response) => response.end(`hello ${namespace}`));
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      const { port } = server.address() as AddressInfo;
      const forward = start(`port-forward pod/main :${port}`);
      try {
        const [, local] = await until(
          'it listens',
          () => /Forwarding from 127\.0\.0\.1:(\d+) -> /.exec(forward.out()) ?? undefined,
        );
        for (let time = 0; time < 3; time++) {
          const answer = await fetch(`http://127.0.0.1:${local}/`, {
            headers: { connection: 'close' },
          });
          expect(await answer.text()).toBe(`hello ${namespace}`);
        }
      } finally {
        forward.stop();
        await forward.ended;
        server.closeAllConnections();
        server.close();
      }
    },
  );

  conform('debug: adds a container to a pod', async ({ ok }) => {
    await ok('debug main --image=tools:1 --target=main --attach=false');
    expect(await ok('get pod main -o jsonpath={.spec.ephemeralContainers[0].image}')).toBe(
      'tools:1',
    );
  });

  conform('debug --copy-to: makes a copy', async ({ ok }) => {
    await ok('debug main --image=tools:1 --copy-to=main-copy --container=tools --attach=false');
    expect(await ok('get pod main-copy -o jsonpath={.spec.containers[*].image}')).toBe(
      'main:1 tools:1',
    );
    await ok('delete pod main-copy');
  });

  conform('top: pods, containers, nodes', async ({ ok, fails, world, node, namespace }) => {
    world.measure(node);
    expect(await ok('top pod main')).toBe(
      'NAME   CPU(cores)   MEMORY(bytes)   \nmain   50m          20Mi            \n',
    );
    expect(await ok('top pod main --containers --no-headers')).toBe(
      'main   main   50m   20Mi   \n',
    );
    expect(await ok('top pods -l app=main --sort-by=cpu')).toContain('main   50m');
    expect(await ok(`top node ${node}`)).toMatch(
      new RegExp(
        `^NAME +CPU\\(cores\\) +CPU(%|\\(%\\)) +MEMORY\\(bytes\\) +MEMORY(%|\\(%\\)) +\\n${namespace}-node +400m +10% +1024Mi +12% +\\n$`,
      ),
    );
    expect(await fails('top pod nothing')).toContain('pods.metrics.k8s.io "nothing" not found');
  });

  conform('proxy: serves the API to this machine', async ({ start, until, world, namespace }) => {
    const proxy = start('proxy --port=0');
    try {
      const [, port] = await until(
        'it listens',
        () => /Starting to serve on 127\.0\.0\.1:(\d+)/.exec(proxy.out()) ?? undefined,
      );
      const answer = await fetch(`http://127.0.0.1:${port}/api/v1/namespaces/${namespace}`);
      expect(await answer.json()).toMatchObject({ metadata: { name: namespace } });
      expect(world.port).not.toBe(Number(port));
    } finally {
      proxy.stop();
      await proxy.ended;
    }
  });
}
