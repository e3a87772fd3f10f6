import { stripVTControlCharacters } from 'node:util';
import { expect } from 'vitest';
import { ConfigMap } from '../../../api/config-map.ts';
import { Deployment } from '../../../api/deployment.ts';
import { Pod } from '../../../api/pod.ts';
import { configMap, deployment, pod, secret, service } from './manifests.ts';
import { type Conform, rows, type Shell } from './shell.ts';

const labelled = (name: string, labels: object) => {
  const map = configMap(name);
  return { ...map, metadata: { name, labels } };
};

/** A Deployment `site` with two ready pods, a Service before it, and three labelled ConfigMaps. */
async function furnish({ ok, world, until, namespace }: Shell): Promise<void> {
  await ok('apply -f -', {
    input: [
      ...[deployment('site', 'site:1'), service('site'), secret('site')],
      labelled('red', { colour: 'red', tier: 'front' }),
      labelled('green', { colour: 'green', tier: 'back' }),
      labelled('plain', { tier: 'back' }),
    ],
  });
  await until('site is ready', () => {
    const found = world.cache.get(Deployment, { namespace, name: 'site' });
    return found?.status.availableReplicas === 2 && found.status.updatedReplicas === 2;
  });
}

/** get, describe, explain, api-resources, api-versions, cluster-info, version, events, wait. */
export function readingCommands(conform: Conform): void {
  conform('get: tables, narrow and wide', async (shell) => {
    const { ok, node } = shell;
    await furnish(shell);
    const deploy = 'NAME READY UP-TO-DATE AVAILABLE AGE';
    expect(rows(await ok('get deploy site'))).toEqual([deploy, 'site 2/2 2 2 AGO']);
    expect(rows(await ok('get deploy site -o wide'))).toEqual([
      `${deploy} CONTAINERS IMAGES SELECTOR`,
      'site 2/2 2 2 AGO web site:1 app=site',
    ]);
    expect(rows(await ok('get rs -l app=site'))).toEqual([
      ...['NAME DESIRED CURRENT READY AGE', 'site-HASH 2 2 2 AGO'],
    ]);
    const row = 'site-HASH-ID 1/1 Running 0 AGO IP NODE <none> <none>';
    expect(rows(await ok('get pods -l app=site -o wide'))).toEqual([
      ...['NAME READY STATUS RESTARTS AGE IP NODE NOMINATED NODE READINESS GATES', row, row],
    ]);
    expect(rows(await ok('get svc site'))).toEqual([
      ...['NAME TYPE CLUSTER-IP EXTERNAL-IP PORT(S) AGE', 'site ClusterIP IP <none> 80/TCP AGO'],
    ]);
    expect(rows(await ok('get secret site'))).toEqual([
      ...['NAME TYPE DATA AGE', 'site Opaque 1 AGO'],
    ]);
    expect(rows(await ok('get cm red'))).toEqual(['NAME DATA AGE', 'red 1 AGO']);
    expect(rows(await ok(`get node ${node}`))).toEqual([
      ...['NAME STATUS ROLES AGE VERSION', expect.stringMatching(/^NODE Ready <none> AGO/)],
    ]);
    expect(rows(await ok('get endpointslices -l kubernetes.io/service-name=site'))).toEqual([
      'NAME ADDRESSTYPE PORTS ENDPOINTS AGE',
      expect.stringMatching(/^site-\S+ IPv4 8080 IP,IP AGO$/),
    ]);
    expect(rows(await ok('get ns default'))).toEqual(['NAME STATUS AGE', 'default Active AGO']);
  });

  conform('get: every other output format', async ({ ok, namespace }) => {
    const yaml = await ok('get cm red -o yaml');
    expect(yaml).toMatch(/^apiVersion: v1\ndata:\n {2}key: one\nkind: ConfigMap\nmetadata:\n/);
    const map = JSON.parse(await ok('get cm red -o json'));
    expect(map).toMatchObject({ kind: 'ConfigMap', metadata: { name: 'red', namespace } });
    const list = JSON.parse(await ok('get cm -l colour -o json'));
    expect(list).toMatchObject({
      kind: 'List',
      apiVersion: 'v1',
      items: [{ kind: 'ConfigMap' }, {}],
    });
    expect(await ok('get cm red green -o name')).toBe('configmap/red\nconfigmap/green\n');
    expect(await ok('get cm,svc -l tier=front -o name')).toBe('configmap/red\n');
    expect(await ok('get cm red -o jsonpath={.data.key}{"\\n"}')).toBe('one\n');
    expect(await ok('get cm -l colour -o jsonpath={.items[*].metadata.name}')).toBe('green red');
    expect(await ok('get cm red -o go-template={{.metadata.name}}')).toBe('red');
    expect(await ok('get cm -l colour -o custom-columns=WHO:.metadata.name,KEY:.data.key')).toBe(
      'WHO     KEY\ngreen   one\nred     one\n',
    );
    expect(await ok('get cm red --no-headers')).toMatch(/^red {3}1 {5}\d+s\n$/);
    expect(await ok('get cm red --show-labels')).toMatch(
      /^NAME {3}DATA {3}AGE {3}LABELS\nred {4}1 {6}\d+s +colour=red,tier=front\n$/,
    );
    expect(await ok('get cm -l colour -L colour')).toMatch(
      /^NAME {4}DATA {3}AGE {3}COLOUR\ngreen {3}1 {6}\d+s +green\nred {5}1 {6}\d+s +red\n$/,
    );
    expect(await ok('get cm red --show-kind')).toMatch(/\nconfigmap\/red {3}1 {6}\d+s\n$/);
  });

  conform('get: selects by labels and fields, sorts, pages', async ({ ok, fails }) => {
    const names = (args: string) => ok(`get cm -o name ${args}`);
    expect(await ok(['get', 'cm', '-o', 'name', '-l', 'colour in (red, blue)'])).toBe(
      'configmap/red\n',
    );
    expect(await names('-l colour,tier!=front')).toBe('configmap/green\n');
    expect(await names('-l !colour,tier')).toBe('configmap/plain\n');
    expect(await ok(['get', 'cm', '-o', 'name', '-l', 'tier,colour notin (red)'])).toBe(
      'configmap/green\nconfigmap/plain\n',
    );
    expect(await names('--field-selector=metadata.name=plain')).toBe('configmap/plain\n');
    expect(await ok('get pods -l app=site --field-selector=status.phase!=Running')).toBe('');
    expect(await ok('get cm -l tier --sort-by=.metadata.name')).toMatch(
      /^NAME {4}DATA {3}AGE\ngreen.*\nplain.*\nred.*\n$/,
    );
    expect(await names('-l tier --chunk-size=1')).toBe(
      'configmap/green\nconfigmap/plain\nconfigmap/red\n',
    );
    expect(await fails('get cm --field-selector=data.key=one')).toMatch(
      /^Error from server \(BadRequest\): .*field label not supported: data\.key\n$/,
    );
  });

  conform('get: all, of all namespaces, of several kinds, raw', async ({ ok, namespace }) => {
    const all = await ok('get all -l app=site -o name');
    expect(all).toMatch(
      /^pod\/site-\S+\npod\/site-\S+\ndeployment.apps\/site\nreplicaset.apps\/site-\S+\n$/,
    );
    const everywhere = await ok('get cm -A --field-selector=metadata.name=red');
    expect(everywhere).toMatch(/^NAMESPACE +NAME +DATA +AGE\n/);
    expect(everywhere).toContain(namespace);
    const mixed = await ok('get deploy/site svc/site');
    expect(mixed).toMatch(
      /^NAME +READY .*\ndeployment.apps\/site .*\n\nNAME .*\nservice\/site .*\n$/,
    );
    const raw = JSON.parse(await ok(`get --raw /api/v1/namespaces/${namespace}/configmaps/red`));
    expect(raw.data).toEqual({ key: 'one' });
    expect(await ok('get --raw /livez')).toBe('ok');
  });

  conform('get: says what is not there', async ({ run, fails, namespace }) => {
    expect(await run('get cm -l no=such')).toEqual({
      ...{ code: 0, out: '', err: `No resources found in ${namespace} namespace.\n` },
    });
    expect(await fails('get cm nothing')).toBe(
      'Error from server (NotFound): configmaps "nothing" not found\n',
    );
    expect(await fails('get deploy nothing')).toBe(
      'Error from server (NotFound): deployments.apps "nothing" not found\n',
    );
    expect(await run('get cm nothing --ignore-not-found')).toEqual({ code: 0, out: '', err: '' });
    expect(await fails('get frobnicators')).toBe(
      'error: the server doesn\'t have a resource type "frobnicators"\n',
    );
  });

  conform('get -w: prints what is there and each change', async ({ ok, start, until }) => {
    await ok('apply -f -', { input: labelled('watched', { seen: 'no' }) });
    const [watch, only, json] = [
      start('get cm watched -w --show-labels'),
      start('get cm watched --watch-only -o name'),
      start('get cm watched -w -o jsonpath={.metadata.labels.seen};'),
    ];
    try {
      await until('the beginning', () => watch.out().includes('seen=no') && json.out() === 'no;');
      // --watch-only says nothing before there is something.
      await new Promise((resolve) => setTimeout(resolve, 300));
      await ok('label cm watched seen=once --overwrite');
      await until('the change', () => watch.out().includes('seen=once'));
      await until('the change', () => only.out() === 'configmap/watched\n');
      await until('the change', () => json.out() === 'no;once;');
      await ok('delete cm watched');
      await until('the end', () => json.out() === 'no;once;once;');
      expect(rows(watch.out()).slice(0, 3)).toEqual([
        ...['NAME DATA AGE LABELS', 'watched 1 AGO seen=no', 'watched 1 AGO seen=once'],
      ]);
    } finally {
      for (const one of [watch, only, json]) one.stop();
      await Promise.all([watch.ended, only.ended, json.ended]);
    }
  });

  conform('describe: each kind in its own words', async ({ ok, node, namespace, until, world }) => {
    const deploy = await ok('describe deploy site');
    expect(deploy).toMatch(/^Name: +site\nNamespace: +v1-\d+\nCreationTimestamp: /);
    expect(deploy).toMatch(
      /\nReplicas: +2 desired \| 2 updated \| 2 total \| 2 available \| 0 unavailable\n/,
    );
    expect(deploy).toMatch(/\nStrategyType: +RollingUpdate\n/);
    expect(deploy).toMatch(/\nRollingUpdateStrategy: +25% max unavailable, 25% max surge\n/);
    expect(deploy).toMatch(/\nNewReplicaSet: +site-[a-z0-9]{10} \(2\/2 replicas created\)\n/);
    expect(rows(deploy).at(-1)).toMatch(
      /^Normal ScalingReplicaSet AGO deployment-controller Scaled up replica set site-HASH/,
    );
    const [first] = (await ok('get pods -l app=site -o name')).split('\n');
    const described = await ok(`describe ${first}`);
    expect(described).toMatch(new RegExp(`\\nNode: +${node.slice(0, 2)}\\S+-node`));
    expect(described).toMatch(/\nStatus: +Running\n/);
    expect(described).toMatch(/\nControlled By: +ReplicaSet\/site-/);
    expect(described).toMatch(/\n +Port: +80\/TCP\n/);
    expect(described).toMatch(/\nQoS Class: +BestEffort\n/);
    expect(described).toMatch(/Normal +Scheduled +\S+ +\S+ +Successfully assigned/);
    await until(
      'endpoints',
      () => world.cache.get(Deployment, { namespace, name: 'site' })?.status.readyReplicas === 2,
    );
    const svc = await ok('describe svc site');
    expect(svc).toMatch(/\nSelector: +app=site\nType: +ClusterIP\n/);
    expect(svc).toMatch(/\nPort: +<unset> +80\/TCP\nTargetPort: +8080\/TCP\n/);
    const cm = await ok('describe cm red');
    expect(cm).toMatch(/^Name: +red\n[\s\S]*\nData\n====\nkey:\n----\none\n/);
    const hidden = await ok('describe secret site');
    expect(hidden).toMatch(/\nType: +Opaque\n\nData\n====\npassword: +11 bytes\n$/);
    const ns = await ok(`describe ns ${namespace}`);
    expect(ns).toMatch(/\nStatus: +Active\n/);
    const host = await ok(`describe node ${node}`);
    expect(host).toMatch(/\nUnschedulable: +false\n/);
    expect(host).toMatch(/\nLease:\n +HolderIdentity: +v1-\d+-node\n/);
    expect(host).toMatch(/\nNon-terminated Pods: +\(\d+ in total\)\n/);
    expect(host).toMatch(/\nAllocated resources:\n/);
    expect(await ok('describe rs -l app=site')).toMatch(/\nReplicas: +2 current \/ 2 desired\n/);
  });

  conform('describe service: names its endpoints', async ({ ok }) => {
    expect(await ok('describe svc site')).toMatch(
      /\nEndpoints: +10\.244\.0\.\d+:8080,10\.244\.0\.\d+:8080\n/,
    );
  });

  conform('events, get events: what happened', async ({ ok }) => {
    const head = 'LAST SEEN TYPE REASON OBJECT MESSAGE';
    const scaled = (object: string) =>
      expect.stringMatching(`^AGO Normal ScalingReplicaSet ${object}/site Scaled up`);
    expect(rows(await ok('events --for deployment/site'))).toEqual([head, scaled('Deployment')]);
    const fields = 'involvedObject.kind=Deployment,involvedObject.name=site';
    expect(rows(await ok(`get events --field-selector=${fields}`))).toEqual([
      ...[head, scaled('deployment')],
    ]);
    expect(await ok('events --types=Warning --for deployment/site')).toBe('');
  });

  conform('explain: teaches fields', async ({ ok, fails }) => {
    const kind = await ok('explain deploy');
    expect(kind).toMatch(/^GROUP: +apps\nKIND: +Deployment\nVERSION: +v1\n\nDESCRIPTION:\n/);
    expect(kind).toMatch(/\n {2}spec\t<\S+> -required-\n/);
    expect(rows(await ok('explain deployment.spec.replicas')).slice(0, 5)).toEqual([
      ...['GROUP: apps', 'KIND: Deployment', 'VERSION: v1'],
      ...['FIELD: replicas <integer>', 'DESCRIPTION:'],
    ]);
    expect(await ok('explain pod.spec.containers.image')).toMatch(/FIELD: image <string>/);
    expect(await ok('explain cm --recursive')).toMatch(/\n {2}data\t<map\[string\]string>\n/);
    expect(await fails('explain pod.spec.frobnicate')).toContain(
      'field "frobnicate" does not exist',
    );
  });

  conform('api-resources, api-versions, cluster-info, version', async ({ ok, world }) => {
    expect(await ok('api-resources --api-group=apps -o name')).toContain('deployments.apps\n');
    const apps = rows(await ok('api-resources --api-group=apps'));
    expect(apps[0]).toBe('NAME SHORTNAMES APIVERSION NAMESPACED KIND');
    expect(apps).toContain('deployments deploy apps/v1 true Deployment');
    expect(await ok('api-resources --namespaced=false -o name')).toMatch(/(^|\n)namespaces\n/);
    expect(await ok('api-resources --verbs=list,watch --categories=all -o name')).toMatch(
      /(^|\n)pods\n/,
    );
    const versions = (await ok('api-versions')).trim().split('\n');
    for (const version of ['v1', 'apps/v1', 'coordination.k8s.io/v1', 'metrics.k8s.io/v1beta1'])
      expect(versions).toContain(version);
    expect(stripVTControlCharacters(await ok('cluster-info'))).toContain(
      `is running at https://127.0.0.1:${world.port}`,
    );
    expect(JSON.parse(await ok('version -o json')).serverVersion).toMatchObject({
      ...{ major: '1', minor: expect.stringMatching(/^\d+$/) },
    });
  });

  conform(
    'wait: for a condition, a value, the end',
    async ({ ok, fails, start, world, namespace, until, stored }) => {
      expect(await ok('wait --for=condition=Available deploy/site --timeout=10s')).toBe(
        'deployment.apps/site condition met\n',
      );
      expect(await fails('wait --for=condition=Available deploy/nothing --timeout=1s')).toContain(
        'deployments.apps "nothing" not found',
      );
      const value = start('wait --for=jsonpath={.data.key}=two cm/plain --timeout=15s');
      await new Promise((resolve) => setTimeout(resolve, 300));
      await ok('patch cm plain --type=merge -p {"data":{"key":"two"}}');
      expect(await value.ended).toEqual({
        code: 0,
        out: 'configmap/plain condition met\n',
        err: '',
      });
      const gone = start('wait --for=delete cm/plain --timeout=15s');
      await new Promise((resolve) => setTimeout(resolve, 300));
      await ok('delete cm plain');
      expect(await gone.ended).toEqual({
        code: 0,
        out: 'configmap/plain condition met\n',
        err: '',
      });
      expect(await stored(ConfigMap, 'plain')).toBeUndefined();
      const late = await fails('wait --for=condition=Ready=False pod -l app=site --timeout=1s');
      expect(late).toContain('timed out waiting for the condition on pods/site-');
      await until('pods', () => world.cache.list(Pod, namespace).length >= 2);
    },
  );

  conform('get: pods that wait, end and fail say so', async ({ ok, world, node, namespace }) => {
    await ok('apply -f -', { input: pod('states', node) });
    await ok('wait --for=condition=Ready pod/states --timeout=10s');
    const status = (state: object) =>
      world.objects.modify(Pod, { key: { namespace, name: 'states' }, part: 'status' }, (live) => {
        const [one] = live.status.containerStatuses ?? [];
        if (!one) return undefined;
        const containerStatuses = [{ ...one, ready: false, state, restartCount: 3 }];
        return { ...live, status: { ...live.status, containerStatuses } };
      });
    const row = async () =>
      (await ok('get pod states --no-headers')).trim().split(/ {2,}/).slice(0, 4);
    await status({ waiting: { reason: 'CrashLoopBackOff' } });
    expect(await row()).toEqual(['states', '0/1', 'CrashLoopBackOff', '3']);
    await status({ terminated: { exitCode: 137, reason: 'OOMKilled' } });
    expect(await row()).toEqual(['states', '0/1', 'OOMKilled', '3']);
    await ok('delete pod states');
  });
}
