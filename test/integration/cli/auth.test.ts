import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Namespace } from '../../../api/namespace.ts';
import { Role } from '../../../api/role.ts';
import { RoleBinding } from '../../../api/role-binding.ts';
import { formatKubeconfig } from '../../../controller/auth/kubeconfig.ts';
import type { RunningLoops } from '../../../controller/store/run-loops.ts';
import { anObject } from '../../support/an-object.ts';
import { orc } from '../../support/orc-cli.ts';
import { runRbacLoops } from '../../support/rbac-loops.ts';
import { openTlsWorld, type TlsWorld } from '../../support/tls-world.ts';
import { waitFor } from '../../support/wait-for.ts';

let world: TlsWorld;
let loops: RunningLoops;
/** Anna's: she may read pods in the namespace default, and one ConfigMap. */
let kubeconfig: string;

beforeAll(async () => {
  world = await openTlsWorld();
  await world.objects.create(Namespace, anObject(Namespace, { metadata: { name: 'kube-system' } }));
  loops = runRbacLoops(world);
  const rules = [
    { apiGroups: [''], resources: ['pods', 'pods/log'], verbs: ['get', 'list'] },
    { apiGroups: [''], resources: ['configmaps'], resourceNames: ['own'], verbs: ['*'] },
  ];
  const metadata = { name: 'reader', namespace: 'default' };
  await world.objects.create(Role, anObject(Role, { metadata, rules }));
  const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'reader' };
  const subjects = [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: 'anna' }];
  await world.objects.create(RoleBinding, anObject(RoleBinding, { metadata, roleRef, subjects }));
  const client = await world.ca.issue({ use: 'client', name: 'anna', groups: ['dev'] });
  kubeconfig = join(world.dir, 'anna');
  const server = `https://127.0.0.1:${world.port}`;
  await writeFile(kubeconfig, formatKubeconfig({ server, ca: world.ca.certificate, client }));
  // The roles of everybody are made by a loop.
  await waitFor('discovery', async () => (await run('can-i get /apis')).code === 0);
});

afterAll(async () => {
  await loops.stop();
  await world.close();
});

const run = (line: string) => orc(['auth', ...line.split(' ')], { kubeconfig });
const asAdmin = (line: string) => orc(line.split(' '), { kubeconfig: world.kubeconfig });

it('can-i says yes and no, also by the exit code', async () => {
  const cases: readonly [line: string, out: RegExp, code: number, err?: string][] = [
    ['get pods', /^yes$/, 0],
    ['get po/web --subresource log', /^yes$/, 0],
    ['get pod web --subresource exec', /^no\b/, 1],
    ['get pods -n other', /^no\b/, 1],
    ['list pods -A', /^no\b/, 1],
    ['delete deployments.apps web', /^no\b/, 1],
    ['update cm own', /^yes$/, 0],
    ['update cm other', /^no\b/, 1],
    ['get /livez', /^yes$/, 0],
    ['get /metrics', /^no\b/, 1],
    ['get pods -q', /^$/, 0],
    ['list widgets.example.com -q', /^$/, 1, 'orc: there is no kind "widgets.example.com"\n'],
  ];
  for (const [line, out, code, err = ''] of cases) {
    const outcome = await run(`can-i ${line}`);
    expect({ line, ...outcome, out: outcome.out.trim() }).toEqual({
      ...{ line, code, err, out: expect.stringMatching(out) },
    });
  }
  expect((await run('can-i get')).code).toBe(2);
});

it('lists what is allowed', async () => {
  const { code, out, err } = await run('can-i --list');
  expect({ code, err }).toEqual({ code: 0, err: '' });
  const rows = out.split('\n').map((line) => line.split(/ {2,}/));
  expect(rows[0]).toEqual(['WHAT', 'NAMED', 'VERBS']);
  expect(rows).toContainEqual(['pods/log', 'get,list']);
  expect(rows).toContainEqual(['configmaps', 'own', '*']);
  expect(rows).toContainEqual(['/apis', 'get']);
  expect((await run('can-i --list -n other')).out).not.toContain('pods');
});

it('says who one is', async () => {
  expect((await run('whoami')).out).toBe(
    'ATTRIBUTE   VALUE\nUsername    anna\nGroups      dev, system:authenticated\n',
  );
  expect((await run('whoami anna')).err).toBe('orc: orc auth whoami has no use for "anna"\n');
  expect(JSON.parse((await run('whoami -o json')).out)).toMatchObject({
    ...{ kind: 'SelfSubjectReview', status: { userInfo: { username: 'anna' } } },
  });
});

it('--as and --as-group ask in somebody else’s name, for who may', async () => {
  const groups = '--as-group dev --as-group ops';
  expect((await asAdmin(`--as bert ${groups} auth whoami`)).out).toBe(
    'ATTRIBUTE   VALUE\nUsername    bert\nGroups      dev, ops, system:authenticated\n',
  );
  expect((await asAdmin('auth can-i get pods --as anna')).out).toBe('yes\n');
  expect(await asAdmin('get secrets --as anna')).toMatchObject({
    ...{ code: 1, err: expect.stringContaining('User "anna" cannot list') },
  });
  expect(await run('whoami --as bert')).toMatchObject({
    ...{ code: 1, err: expect.stringContaining('cannot impersonate') },
  });
});
