import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ResourceQuota } from '../../../../api/resource-quota.ts';
import { ensureFirstObjects } from '../../../../controller/controllers/first-objects.ts';
import { resourceQuotaLoop } from '../../../../controller/controllers/resource-quota.ts';
import { type RunningLoops, runLoops } from '../../../../controller/store/run-loops.ts';
import { findKubectls, type Kubectl, runKubectl } from '../../../support/kubectl.ts';
import { openTlsWorld, type TlsWorld } from '../../../support/tls-world.ts';
import { waitFor } from '../../../support/wait-for.ts';

const all = findKubectls();
const ends = all.filter(({ version }) => ['1.27', '1.33'].includes(version));
/** The newest that sends JSON when it creates. */
const creating = all.filter(({ version }) => version === '1.31');

let world: TlsWorld;
let loops: RunningLoops;
beforeAll(async () => {
  world = await openTlsWorld();
  await ensureFirstObjects(world.objects);
  loops = runLoops([resourceQuotaLoop], { ...world.deps, recordEvent: () => {} });
});
afterAll(async () => {
  await loops.stop();
  await world.close();
});

const run = (kubectl: Kubectl, command: string, input = '') =>
  runKubectl(kubectl, command.split(' '), {
    ...{ kubeconfig: world.kubeconfig, cacheDir: join(world.dir, kubectl.version), input },
  });
const lines = (text: string) =>
  text.split('\n').map((line) => line.trim().split(/ {2,}/).join('|'));

const manifest = (namespace: string) => `
apiVersion: v1
kind: Namespace
metadata: {name: ${namespace}}
---
apiVersion: v1
kind: ResourceQuota
metadata: {name: q, namespace: ${namespace}}
spec: {hard: {pods: 2, limits.memory: 1Gi}, scopes: [NotBestEffort]}
---
apiVersion: v1
kind: LimitRange
metadata: {name: l, namespace: ${namespace}}
spec:
  limits:
  - {type: Container, default: {memory: 64Mi}, max: {cpu: 2}}
  - {type: Pod, min: {memory: 1Mi}}
---
apiVersion: scheduling.k8s.io/v1
kind: PriorityClass
metadata: {name: ${namespace}}
value: 1000
preemptionPolicy: Never
`;

describe.each(ends)('kubectl $version', (kubectl) => {
  const namespace = `with-${kubectl.version.replace('.', '-')}`;
  const here = `-n ${namespace}`;
  beforeAll(async () => {
    const applied = await run(kubectl, 'apply -f -', manifest(namespace));
    expect([applied.code, applied.err]).toEqual([0, '']);
    const key = { namespace, name: 'q' };
    await waitFor('the quota', () => world.cache.get(ResourceQuota, key)?.status.hard);
    const pod = `apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {priorityClassName: ${namespace}, containers: [{name: c, image: "c:1"}]}`;
    expect((await run(kubectl, `apply ${here} -f -`, pod)).err).toBe('');
    await world.cache.reached(await world.deps.currentRevision());
  });

  const limits = [
    'Container|cpu|-|2|2|2|-',
    'Container|memory|-|-|64Mi|64Mi|-',
    'Pod|memory|1Mi|-|-|-|-',
  ];

  it('describes a namespace with what it may hold', async () => {
    const described = lines((await run(kubectl, `describe ns ${namespace}`)).out);
    const start = described.indexOf('Resource Quotas');
    expect(described.slice(start, start + 9)).toEqual([
      'Resource Quotas',
      'Name:|q',
      'Scopes:|NotBestEffort',
      '* Matches all pods that have at least one resource requirement set. These pods have a burstable or guaranteed quality of service.',
      'Resource|Used|Hard',
      '--------|---|---',
      'limits.memory|64Mi|1Gi',
      'pods|1|2',
      '',
    ]);
    const ranges = described.slice(described.indexOf('Resource Limits'));
    expect(ranges.filter((line) => /^(Container|Pod)/.test(line)).sort()).toEqual(limits);
  });

  it('describes quotas and limit ranges', async () => {
    const quota = lines((await run(kubectl, `describe quota q ${here}`)).out);
    expect(quota.filter((line) => /^(limits|pods)/.test(line))).toEqual([
      'limits.memory|64Mi|1Gi',
      'pods|1|2',
    ]);
    const ranges = lines((await run(kubectl, `describe limits ${here}`)).out);
    expect(ranges.filter((line) => /^(Container|Pod)/.test(line)).sort()).toEqual(limits);
    const priority = lines((await run(kubectl, `describe pc ${namespace}`)).out);
    expect(priority).toContain('Value:|1000');
    const pod = lines((await run(kubectl, `describe pod p ${here}`)).out);
    expect(pod).toContain('Priority:|1000');
    expect(pod).toContain(`Priority Class Name:|${namespace}`);
  });

  it.each([
    ['quota', /^NAME AGE REQUEST LIMIT\nq \d+s pods: 1\/2 limits.memory: 64Mi\/1Gi\n$/],
    ['limitranges', /^NAME CREATED AT\nl \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\n$/],
  ])('gets %s', async (what, table) => {
    const { out } = await run(kubectl, `get ${what} ${here}`);
    expect(out.replace(/ +/g, ' ')).toMatch(table);
  });

  it('gets priority classes', async () => {
    const { out } = await run(kubectl, `get pc ${namespace} system-node-critical`);
    expect(
      lines(out.replace(/ +/g, '  ')).map((line) => line.replace(/\|\d+s\|/, '|AGE|')),
    ).toEqual([
      'NAME|VALUE|GLOBAL-DEFAULT|AGE|PREEMPTIONPOLICY',
      `${namespace}|1000|false|AGE|Never`,
      'system-node-critical|2000001000|false|AGE|PreemptLowerPriority',
      '',
    ]);
  });

  it('explains them', async () => {
    for (const what of ['quota.spec.hard', 'limits.spec.limits.defaultRequest', 'pc.value'])
      expect((await run(kubectl, `explain ${what}`)).out).toContain('DESCRIPTION');
  });
});

it.each(creating)('kubectl $version creates quotas and priority classes', async (kubectl) => {
  const quota = await run(kubectl, 'create quota made --hard=pods=1,cpu=2 --scopes=NotBestEffort');
  expect([quota.code, quota.out]).toEqual([0, 'resourcequota/made created\n']);
  const made = await run(kubectl, 'create priorityclass made --value=7 --description=seven');
  expect([made.code, made.out]).toEqual([0, 'priorityclass.scheduling.k8s.io/made created\n']);
  const { out } = await run(kubectl, 'get quota made -o jsonpath={.spec}');
  expect(JSON.parse(out)).toEqual({
    ...{ hard: { cpu: '2', pods: '1' }, scopes: ['NotBestEffort'] },
  });
});
