import { writeFile } from 'node:fs/promises';
import { expect } from 'vitest';
import { ConfigMap } from '../../../api/config-map.ts';
import { Deployment } from '../../../api/deployment.ts';
import { Namespace } from '../../../api/namespace.ts';
import { Pod } from '../../../api/pod.ts';
import { Secret } from '../../../api/secret.ts';
import { Service } from '../../../api/service.ts';
import { configMap, deployment } from './manifests.ts';
import type { Conform } from './shell.ts';

/** create KIND, run, expose, label, annotate, patch, set; auth and what else makes no object of a file. */
export function imperativeCommands(conform: Conform): void {
  conform('create configmap', async ({ ok, fails, stored, file }) => {
    await writeFile(file('app.conf'), 'a = b\n');
    await writeFile(file('binary'), Buffer.from([0xff, 0xfe, 0]));
    const from = [
      '--from-literal=key=one',
      `--from-file=${file('app.conf')}`,
      `--from-file=${file('binary')}`,
    ];
    expect(await ok(['create', 'configmap', 'literal', ...from])).toBe(
      'configmap/literal created\n',
    );
    expect(await stored(ConfigMap, 'literal')).toMatchObject({
      data: { key: 'one', 'app.conf': 'a = b\n' },
      binaryData: { binary: '//4A' },
    });
    expect(await fails('create configmap literal')).toBe(
      'error: failed to create configmap: configmaps "literal" already exists\n',
    );
  });

  conform('create configmap --dry-run=client -o yaml asks no server', async ({ ok, stored }) => {
    const yaml = await ok(
      'create configmap client --from-literal=key=one --dry-run=client -o yaml',
    );
    expect(yaml).toMatch(/^apiVersion: v1\ndata:\n {2}key: one\nkind: ConfigMap\nmetadata:\n/);
    expect(await stored(ConfigMap, 'client')).toBeUndefined();
    expect(await ok('apply -f -', { input: yaml })).toBe('configmap/client created\n');
  });

  conform('create secret generic, tls, docker-registry', async ({ ok, stored }) => {
    expect(await ok('create secret generic made --from-literal=a=b')).toBe('secret/made created\n');
    expect((await stored(Secret, 'made'))?.data).toEqual({ a: 'Yg==' });
    expect(
      await ok('create secret docker-registry login --docker-username=u --docker-password=p'),
    ).toBe('secret/login created\n');
    expect((await stored(Secret, 'login'))?.type).toBe('kubernetes.io/dockerconfigjson');
  });

  conform('create namespace', async ({ ok, namespace, stored }) => {
    const name = `${namespace}-made`;
    expect(await ok(`create namespace ${name}`)).toBe(`namespace/${name} created\n`);
    expect((await stored(Namespace, name))?.status.phase).toBe('Active');
    expect(await ok(`delete namespace ${name}`)).toContain(`namespace "${name}" deleted`);
    expect(await stored(Namespace, name)).toBeUndefined();
  });

  conform('create deployment', async ({ ok, stored }) => {
    expect(await ok('create deployment made --image=made:1 --replicas=2 --port=80')).toBe(
      'deployment.apps/made created\n',
    );
    const { spec } = (await stored(Deployment, 'made')) ?? {};
    expect([spec?.replicas, spec?.selector.matchLabels]).toEqual([2, { app: 'made' }]);
    expect(spec?.template.spec.containers).toMatchObject([
      { name: 'made', image: 'made:1', ports: [{ containerPort: 80, protocol: 'TCP' }] },
    ]);
    await ok('delete deployment made');
  });

  conform('create service', async ({ ok, stored }) => {
    expect(await ok('create service clusterip made --tcp=80:8080')).toBe('service/made created\n');
    expect(await stored(Service, 'made')).toMatchObject({
      spec: {
        type: 'ClusterIP',
        clusterIP: expect.stringMatching(/^10\.96\./),
        ports: [{ name: '80-8080', port: 80, targetPort: 8080 }],
      },
    });
    expect(await ok('create service nodeport made-np --tcp=80')).toBe('service/made-np created\n');
    expect((await stored(Service, 'made-np'))?.spec.ports?.[0]?.nodePort).toBeGreaterThanOrEqual(
      30_000,
    );
    await ok('delete service made made-np');
  });

  conform('create serviceaccount, role, rolebinding, token', async ({ ok }) => {
    expect(await ok('create serviceaccount robot')).toBe('serviceaccount/robot created\n');
    expect(await ok('create role reader --verb=get --resource=pods')).toBe(
      'role.rbac.authorization.k8s.io/reader created\n',
    );
    await ok('create rolebinding reader --role=reader --serviceaccount=default:robot');
    expect(await ok('create token robot')).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+$/);
  });

  conform('auth can-i, whoami', async ({ ok, since }) => {
    expect(await ok('auth can-i create deployments')).toBe('yes\n');
    expect(await ok('auth can-i --list')).toMatch(/^Resources +Non-Resource URLs/);
    // 1.27 asks for a beta of the review, which Kubernetes 1.33 doesn't serve either.
    if (since('1.28')) expect(await ok('auth whoami')).toMatch(/Username +admin\n/);
  });

  conform('create quota, priorityclass', async ({ ok, namespace }) => {
    expect(await ok('create quota some --hard=pods=50')).toBe('resourcequota/some created\n');
    const name = `${namespace}-high`;
    expect(await ok(`create priorityclass ${name} --value=5`)).toBe(
      `priorityclass.scheduling.k8s.io/${name} created\n`,
    );
  });

  conform('refuses kinds that are not served, by name', async ({ fails }) => {
    const job = { apiVersion: 'batch/v1', kind: 'Job', metadata: { name: 'x' }, spec: {} };
    expect(await fails('apply -f -', { input: job })).toContain(
      'no matches for kind "Job" in version "batch/v1"',
    );
    expect(await fails('get statefulsets')).toBe(
      'error: the server doesn\'t have a resource type "statefulsets"\n',
    );
    expect(await fails('autoscale deploy site --max=3')).toMatch(
      /could not find the requested resource|NotFound/,
    );
  });

  conform('run: makes a pod', async ({ ok, stored }) => {
    expect(await ok('run ran --image=main:1 --labels=a=b --env=K=v --port=80 -- sleep 1')).toBe(
      'pod/ran created\n',
    );
    expect(await stored(Pod, 'ran')).toMatchObject({
      metadata: { labels: { a: 'b' } },
      spec: {
        containers: [
          {
            name: 'ran',
            image: 'main:1',
            args: ['sleep', '1'],
            env: [{ name: 'K', value: 'v' }],
            ports: [{ containerPort: 80 }],
          },
        ],
        restartPolicy: 'Always',
      },
    });
    expect(await ok('run dry-ran --image=main:1 --dry-run=server')).toBe(
      'pod/dry-ran created (server dry run)\n',
    );
    expect(await stored(Pod, 'dry-ran')).toBeUndefined();
  });

  conform('expose: puts a Service before it', async ({ ok, stored }) => {
    await ok('apply -f -', { input: deployment('exposed', 'web:1', 0) });
    expect(await ok('expose deploy exposed --port=80 --target-port=8080 --type=NodePort')).toBe(
      'service/exposed exposed\n',
    );
    expect(await stored(Service, 'exposed')).toMatchObject({
      spec: {
        type: 'NodePort',
        selector: { app: 'exposed' },
        ports: [{ port: 80, targetPort: 8080, protocol: 'TCP' }],
      },
    });
    expect(
      await ok(
        'expose pod ran --port=80 --name=of-pod --dry-run=server -o jsonpath={.spec.selector}',
      ),
    ).toBe('{"a":"b"}');
    await ok('delete svc/exposed deploy/exposed');
  });

  conform(
    'label, annotate: set, keep, replace, remove, of many',
    async ({ ok, fails, stored, since }) => {
      const annotated = since('1.28') ? 'annotated' : 'annotate';
      await ok('create -f -', { input: [configMap('noted'), configMap('noted-too')] });
      expect(await ok('label cm noted a=1 b=2')).toBe('configmap/noted labeled\n');
      expect(await ok('label cm noted a=1')).toBe('configmap/noted not labeled\n');
      expect(await fails('label cm noted a=2')).toBe(
        "error: 'a' already has a value (1), and --overwrite is false\n",
      );
      expect(await ok('label cm noted a=2 --overwrite')).toBe('configmap/noted labeled\n');
      expect(await ok('label cm noted b-')).toBe('configmap/noted unlabeled\n');
      expect((await stored(ConfigMap, 'noted'))?.metadata.labels).toEqual({ a: '2' });
      expect(await ok('label cm noted --list')).toBe('a=2\n');
      expect(await ok('label cm noted --resource-version=1 c=1').catch(() => 'conflict')).toBe(
        'conflict',
      );
      expect(await fails(['label', 'cm', 'noted', 'c=not valid'])).toContain('c');
      expect(await ok('annotate cm noted noted-too note=x')).toBe(
        `configmap/noted ${annotated}\nconfigmap/noted-too ${annotated}\n`,
      );
      expect(await ok('annotate cm noted note-')).toBe(`configmap/noted ${annotated}\n`);
      expect((await stored(ConfigMap, 'noted-too'))?.metadata.annotations).toEqual({ note: 'x' });
      expect(await ok('label cm -l a=2 c=3')).toBe('configmap/noted labeled\n');
      expect(await ok('label cm noted d=1 --dry-run=server')).toBe(
        'configmap/noted labeled (server dry run)\n',
      );
      expect((await stored(ConfigMap, 'noted'))?.metadata.labels).toEqual({ a: '2', c: '3' });
    },
  );

  conform('patch: in each way', async ({ ok, fails, stored }) => {
    await ok('apply -f -', { input: deployment('patched', 'web:1', 0) });
    const image = '{"spec":{"template":{"spec":{"containers":[{"name":"web","image":"web:2"}]}}}}';
    expect(await ok(`patch deploy patched -p ${image}`)).toBe('deployment.apps/patched patched\n');
    // Nobody else writes to it: a Deployment's status moves meanwhile.
    const same = 'patch cm noted --type=merge -p {"data":{"key":"one"}}';
    expect(await ok(same)).toBe('configmap/noted patched (no change)\n');
    expect(
      await ok('patch deploy patched --type=merge -p {"spec":{"minReadySeconds":1}}'),
    ).toContain('patched\n');
    const op = '[{"op":"replace","path":"/spec/minReadySeconds","value":2}]';
    expect(await ok(`patch deploy patched --type=json -p ${op}`)).toContain('patched\n');
    const { spec } = (await stored(Deployment, 'patched')) ?? {};
    expect([spec?.minReadySeconds, spec?.template.spec.containers]).toMatchObject([
      2,
      [{ image: 'web:2', ports: [{ containerPort: 80 }] }],
    ]);
    expect(
      await fails(
        'patch deploy patched --type=json -p [{"op":"test","path":"/spec/minReadySeconds","value":9}]',
      ),
    ).toContain('test');
    expect(await fails('patch deploy patched -p {"spec":{"replicas":-1}}')).toBe(
      'The Deployment "patched" is invalid: spec.replicas: Invalid value: -1: must be greater than or equal to 0\n',
    );
    expect(await fails('patch deploy nothing -p {}')).toBe(
      'Error from server (NotFound): deployments.apps "nothing" not found\n',
    );
    expect(
      await ok('patch cm noted-too --subresource=status --type=merge -p {}').catch(
        () => 'no status',
      ),
    ).toBe('no status');
    expect(
      await ok(
        'patch deploy patched -p {"spec":{"minReadySeconds":9}} --dry-run=server -o jsonpath={.spec.minReadySeconds}',
      ),
    ).toBe('9');
    expect((await stored(Deployment, 'patched'))?.spec.minReadySeconds).toBe(2);
  });

  conform('set image, env, resources, selector', async ({ ok, stored }) => {
    expect(await ok('set image deploy/patched web=web:3')).toBe(
      'deployment.apps/patched image updated\n',
    );
    expect(await ok('set env deploy/patched K=v')).toBe('deployment.apps/patched env updated\n');
    expect(await ok('set resources deploy/patched --limits=cpu=100m,memory=64Mi')).toBe(
      'deployment.apps/patched resource requirements updated\n',
    );
    expect((await stored(Deployment, 'patched'))?.spec.template.spec.containers).toMatchObject([
      {
        image: 'web:3',
        env: [{ name: 'K', value: 'v' }],
        resources: { limits: { cpu: '100m', memory: '64Mi' } },
      },
    ]);
    expect(await ok('set env deploy/patched --list')).toContain('K=v');
    expect(await ok('set env deploy/patched K-')).toBe('deployment.apps/patched env updated\n');
    expect(
      (await stored(Deployment, 'patched'))?.spec.template.spec.containers[0]?.env ?? [],
    ).toEqual([]);
    await ok('delete deploy patched');
  });
}
