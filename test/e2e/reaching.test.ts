import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { V1Service } from '@kubernetes/client-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Manifest, useDevCluster } from '../support/dev-cluster.ts';
import { type JsonChild, startJsonChild } from '../support/json-child.ts';
import {
  type Container,
  deployment,
  helloContainer,
  idle,
  service,
  shell,
  shellPod,
} from '../support/manifests.ts';
import { isReady, podsOf, readyPod, readyPods } from '../support/pod-states.ts';
import { runProgram } from '../support/run-program.ts';

const cluster = useDevCluster({ images: ['hello', 'nginx'], flags: ['--publish', '0:hello'] });

const addresses = ['172.30.0.11', '172.30.0.12', '172.30.0.13'];

const ports = [{ port: 80, targetPort: 'http', nodePort: 30_080 }];
const open: Manifest = {
  ...service('hello', 'http'),
  spec: { type: 'NodePort', selector: { app: 'hello' }, ports },
};

const nginx: Container = {
  name: 'nginx',
  image: 'registry:5000/nginx:1',
  ports: [{ containerPort: 80, hostPort: 8080 }],
  readinessProbe: { httpGet: { path: '/', port: 80 }, periodSeconds: 1 },
};

const curl = ['curl', '-s', '--max-time', '5'] as const;

/** On the hosts' network, but no node. */
const stranger = '172.30.0.2';
let outside: JsonChild;
afterAll(() => outside?.end());

beforeAll(async () => {
  const script = fileURLToPath(new URL('../support/net-peer.ts', import.meta.url));
  const inside = ['--target', `${cluster().host('registry').pid}`, '--net', '--'];
  outside = startJsonChild('nsenter', [...inside, process.execPath, script]);
  const { create, until } = cluster();
  await create(
    deployment('hello', helloContainer(), { replicas: 2 }),
    open,
    shellPod('client', shell(idle), { nodeName: 'host2' }),
  );
  await until('pods', readyPods('hello', 2));
  await until('pods', readyPod('client'));
});

describe('a Service of type NodePort', () => {
  it('answers on the port of every node, to a machine that is none', async () => {
    for (const address of addresses) {
      const hosts = new Set<string>();
      for (let i = 0; i < 30 && hosts.size < 2; i++)
        hosts.add(
          (
            await cluster()
              .host('registry')
              .exec(...curl, `${address}:30080`)
          ).out,
        );
      expect(hosts.size).toBe(2);
    }
  });

  it('answers a pod and a node, at the address of any node', async () => {
    for (const address of addresses) {
      const page = await cluster().exec('client', ['wget', '-qO-', `http://${address}:30080`]);
      expect(page.out).toContain('hello');
      const { out } = await cluster()
        .host('host1')
        .exec(...curl, `${address}:30080`);
      expect(out).toContain('hello');
    }
  });

  it('answers through the API server, whichever pod and node it is on', async () => {
    const page = await cluster().kubectl(
      ...['get', '--raw', '/api/v1/namespaces/default/services/hello:80/proxy/'],
    );
    expect(page).toMatchObject({ code: 0, out: expect.stringContaining('hello from hello-') });
    const refused = '/api/v1/namespaces/default/pods/client:1/proxy/';
    const { err } = await cluster().kubectl('get', '--raw', refused);
    expect(err).toContain('error trying to reach service: port 1 refuses connections');
  });

  it('shows its port, and frees it when it becomes a ClusterIP', async () => {
    const { orc, patch, objects } = cluster();
    expect((await orc('get', 'service', 'hello')).out).toContain('80:30080/TCP');
    await patch({ ...open, spec: { type: 'ClusterIP' } });
    const closed = await objects.read<V1Service>({
      ...open,
      metadata: { ...open.metadata, namespace: 'default' },
    });
    expect(closed.spec?.ports?.[0]?.nodePort).toBeUndefined();
    const ask = () =>
      cluster()
        .host('registry')
        .exec(...curl, `${addresses[0]}:30080`);
    await expect.poll(async () => (await ask()).code, { timeout: 5000 }).toBe(7);
    await patch({ ...open, spec: { type: 'NodePort', ports } });
    await expect.poll(async () => (await ask()).out, { timeout: 5000 }).toContain('hello');
  });
});

describe('host ports', () => {
  it('lead to one nginx on each node, and no further one finds room', async () => {
    const { create, until } = cluster();
    await create(deployment('nginx', nginx, { replicas: 4 }));
    await until('pods', (pods) => podsOf('nginx', pods).filter(isReady).length === 3);
    for (const address of addresses) {
      const { out } = await cluster()
        .host('registry')
        .exec(...curl, `${address}:8080`);
      expect(out).toContain('<title>Welcome to nginx!</title>');
    }
    const event = await until('events', (events) =>
      events.find(
        ({ reason, message }) => reason === 'FailedScheduling' && message?.includes('ports'),
      ),
    );
    expect(event.message).toBe(
      "0/3 nodes are available: 3 node(s) didn't have free ports for the requested pod ports.",
    );
  });

  it('go with their pods', async () => {
    const { patch, host } = cluster();
    await patch({ ...deployment('nginx', nginx), spec: { replicas: 0 } });
    for (const address of addresses)
      await expect
        .poll(async () => (await host('registry').exec(...curl, `${address}:8080`)).code, {
          timeout: 20_000,
        })
        .toBe(7);
  });
});

describe('a pod', () => {
  it("shows its node's address to the world outside", async () => {
    await outside.call('serveTcp', { port: 9000, name: 'outside' });
    const ask = `nc -w 2 ${stranger} 9000 </dev/null | head -n 1`;
    const { out } = await cluster().exec('client', ['sh', '-c', ask]);
    expect(JSON.parse(out)).toEqual({ name: 'outside', client: addresses[1] });
  });

  it("finds names that aren't the cluster's by the servers of its node", async () => {
    const { create, exec, host, dataDir } = cluster();
    await outside.call('serveDns', { 'www.example.org': [stranger] });
    const file = join(dataDir, 'resolv.conf');
    await writeFile(file, `nameserver ${stranger}\n`);
    await host('host2').exec('mount', '--bind', file, '/etc/resolv.conf');
    // The file is read again with each change of the services.
    await create(service('nobody', 80));
    const ask = () => exec('client', ['nc', '-w', '2', 'www.example.org', '9000']);
    await expect.poll(async () => (await ask()).out, { timeout: 20_000 }).toContain('outside');
  });
});

describe('orc dev --publish', () => {
  it('leads a port of this machine to the Service, whichever host is killed', async () => {
    const said = await readFile(join(cluster().dataDir, 'dev.log'), 'utf8');
    const [, address] = /Published {3}(\S+) → hello\.default:80/.exec(said) ?? [];
    const ask = () => runProgram('curl', ['-s', '--max-time', '5', `http://${address}`]);
    expect((await ask()).out).toContain('hello');
    process.kill(cluster().host('host1').pid, 'SIGKILL');
    await cluster().until('nodes', (nodes) =>
      nodes.find(({ metadata, status }) =>
        status?.conditions?.some(
          ({ type, status: is }) =>
            metadata?.name === 'host1' && type === 'Ready' && is === 'Unknown',
        ),
      ),
    );
    await expect.poll(async () => (await ask()).out, { timeout: 20_000 }).toContain('hello');
  });

  it('says so when the port is taken', async () => {
    const { pathname } = new URL('../../orc', import.meta.url);
    const port = new URL(cluster().client.getCurrentCluster()?.server ?? '').port;
    const { code, err } = await runProgram(pathname, [
      ...['dev', '--publish', '0:hello', '--publish', `${port}:hello`],
    ]);
    expect(code).toBe(1);
    expect(err).toContain(`--publish: no port for hello.default: listen EADDRINUSE`);
  });
});
