import { once } from 'node:events';
import { request } from 'node:https';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Namespace } from '../../../../api/namespace.ts';
import { Pod } from '../../../../api/pod.ts';
import type { RunningLoops } from '../../../../controller/store/run-loops.ts';
import { anObject } from '../../../support/an-object.ts';
import { runRbacLoops } from '../../../support/rbac-loops.ts';
import { openTlsWorld, type TlsWorld } from '../../../support/tls-world.ts';
import { waitFor } from '../../../support/wait-for.ts';

/** Certificates, tokens and roles, over HTTPS as clients do. */
let world: TlsWorld;
let loops: RunningLoops;
let admin: Credential;
let jane: Credential;
let node: Credential;

interface Credential {
  readonly key?: string;
  readonly cert?: string;
  readonly token?: string;
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
}

beforeAll(async () => {
  world = await openTlsWorld();
  await world.objects.create(Namespace, anObject(Namespace, { metadata: { name: 'kube-system' } }));
  loops = runRbacLoops(world);
  admin = await certificate('admin', 'system:masters');
  jane = await certificate('jane', 'staff');
  const csr = { use: 'peer', name: 'system:node:n1', groups: ['system:nodes'] } as const;
  const pair = await world.ca.issue(csr);
  node = { key: pair.key, cert: pair.certificate };
  await waitFor('the default roles', async () => {
    const { body } = await ask(admin, 'GET', `${rbac}/clusterroles/admin`);
    return (body.rules?.length ?? 0) > 5;
  });
});

afterAll(async () => {
  await loops.stop();
  await world.close();
});

const rbac = '/apis/rbac.authorization.k8s.io/v1';
const here = '/api/v1/namespaces/default';
const rolesHere = `${rbac}/namespaces/default/roles`;
const bindingsHere = `${rbac}/namespaces/default/rolebindings`;

async function certificate(name: string, ...groups: string[]): Promise<Credential> {
  const pair = await world.ca.issue({ use: 'client', name, groups });
  return { key: pair.key, cert: pair.certificate };
}

type Answer = { readonly code: number; readonly body: ReturnType<typeof JSON.parse> };

async function ask(
  { token, headers, ...tls }: Credential,
  method: string,
  path: string,
  body?: object,
): Promise<Answer> {
  const type = method === 'PATCH' ? 'application/apply-patch+yaml' : 'application/json';
  const sent = request({
    ...{ host: '127.0.0.1', port: world.port, method, path, ca: world.ca.certificate, ...tls },
    headers: {
      'content-type': type,
      ...(token && { authorization: `Bearer ${token}` }),
      ...headers,
    },
    agent: false,
  });
  sent.end(body && JSON.stringify(body));
  const [response] = await once(sent, 'response');
  const answer = { code: response.statusCode, body: JSON.parse(await text(response)) };
  await world.cache.reached(await world.deps.currentRevision());
  return answer;
}

const make = async (path: string, body: object) =>
  expect(await ask(admin, 'POST', path, body)).toMatchObject({ code: 201 });

const metadata = (name: string) => ({ metadata: { name } });
const role = (name: string, ...rules: object[]) => ({ ...metadata(name), rules });
const readPods = { apiGroups: [''], resources: ['pods'], verbs: ['get', 'list', 'watch'] };
const binding = (name: string, roleRef: object, ...subjects: object[]) => ({
  ...metadata(name),
  roleRef,
  subjects,
});
const account = (name: string) => ({ kind: 'ServiceAccount', name, namespace: 'default' });
const newToken = async (name: string, spec: object = {}): Promise<Answer> =>
  ask(admin, 'POST', `${here}/serviceaccounts/${name}/token`, { spec });
const tokenOf = async (name: string): Promise<Credential> => {
  const { body } = await newToken(name);
  return { token: body.status.token };
};

describe('a token of a ServiceAccount', () => {
  it('is good for what roles allow, refused in Kubernetes’ words else, and void with its account', async () => {
    await make(`${here}/serviceaccounts`, metadata('ci'));
    const ci = await tokenOf('ci');
    expect(await ask(ci, 'GET', `${here}/pods`)).toMatchObject({
      code: 403,
      body: {
        message:
          'pods is forbidden: User "system:serviceaccount:default:ci" cannot list resource "pods" in API group "" in the namespace "default"',
      },
    });
    await make(bindingsHere, binding('ci', { kind: 'Role', name: 'reader' }, account('ci')));
    expect((await ask(ci, 'GET', `${here}/pods`)).body.message).toMatch(
      /in the namespace "default": RBAC: role\.rbac\.authorization\.k8s\.io "reader" not found$/,
    );
    await make(rolesHere, role('reader', readPods));
    expect(await ask(ci, 'GET', `${here}/pods`)).toMatchObject({ code: 200 });
    expect(await ask(ci, 'GET', '/api/v1/pods')).toMatchObject({ code: 403 });
    expect(await ask(ci, 'GET', `${here}/pods/p/log`)).toMatchObject({ code: 403 });
    expect(await ask(ci, 'GET', '/apis')).toMatchObject({ code: 200 });
    expect(await ask(ci, 'GET', '/metrics')).toMatchObject({ code: 403 });
    await ask(admin, 'DELETE', `${here}/serviceaccounts/ci`);
    expect(await ask(ci, 'GET', `${here}/pods`)).toMatchObject({ code: 401 });
    await make(`${here}/serviceaccounts`, metadata('ci'));
    expect(await ask(ci, 'GET', `${here}/pods`)).toMatchObject({
      code: 401,
      body: { message: 'Unauthorized: the ServiceAccount of the token is gone' },
    });
  });

  it('says who it is', async () => {
    await make(`${here}/serviceaccounts`, metadata('bot'));
    const bot = await tokenOf('bot');
    const self = '/apis/authentication.k8s.io/v1/selfsubjectreviews';
    const review = await ask(bot, 'POST', self, {});
    const groups = [
      'system:serviceaccounts',
      'system:serviceaccounts:default',
      'system:authenticated',
    ];
    expect(review.body.status.userInfo).toMatchObject({
      username: 'system:serviceaccount:default:bot',
      groups,
      extra: {
        'authentication.kubernetes.io/credential-id': [
          expect.stringMatching(/^JTI=[0-9a-f-]{36}$/),
        ],
      },
    });
    const reviews = '/apis/authentication.k8s.io/v1/tokenreviews';
    const { token } = bot;
    expect((await ask(admin, 'POST', reviews, { spec: { token } })).body.status).toMatchObject({
      authenticated: true,
      user: { username: 'system:serviceaccount:default:bot', groups },
      audiences: ['https://kubernetes.default.svc.cluster.local'],
    });
    const forVault = { spec: { token, audiences: ['vault'] } };
    expect((await ask(admin, 'POST', reviews, forVault)).body.status).toEqual({
      authenticated: false,
      error: 'the token is for another audience',
    });
    expect(await ask(bot, 'POST', reviews, { spec: { token } })).toMatchObject({ code: 403 });
  });

  it('for others is none here; one bound to a pod goes with it', async () => {
    const vault = await newToken('bot', { audiences: ['vault'] });
    const { token } = vault.body.status;
    expect(await ask({ token }, 'GET', '/apis')).toMatchObject({ code: 401 });
    const spec = { containers: [{ name: 'c', image: 'c:1' }] };
    const pod = await world.objects.create(Pod, anObject(Pod, { ...metadata('p'), spec }));
    const boundObjectRef = { kind: 'Pod', apiVersion: 'v1', name: 'p', uid: pod.metadata.uid };
    expect(await newToken('bot', { boundObjectRef })).toMatchObject({ code: 400 });
    const bound: Credential = {
      token: (await newToken('default', { boundObjectRef })).body.status.token,
    };
    expect(await ask(bound, 'GET', '/apis')).toMatchObject({ code: 200 });
    await ask(admin, 'DELETE', `${here}/pods/p?gracePeriodSeconds=0`);
    expect(await ask(bound, 'GET', '/apis')).toMatchObject({ code: 401 });
    expect(await newToken('bot', { expirationSeconds: 60 })).toMatchObject({ code: 422 });
    expect(await newToken('nobody')).toMatchObject({ code: 404 });
  });

  it('that is wrong does no harm beside a good certificate, and is none by itself', async () => {
    expect(await ask({ ...admin, token: 'wrong' }, 'GET', `${here}/pods`)).toMatchObject({
      code: 200,
    });
    expect(await ask({ token: 'wrong' }, 'GET', `${here}/pods`)).toMatchObject({ code: 401 });
    expect(await ask({}, 'GET', `${here}/pods`)).toMatchObject({ code: 401 });
    const headers = { authorization: 'Basic YTpi' };
    expect(await ask({ headers }, 'GET', '/apis')).toMatchObject({ code: 401 });
  });
});

describe('a certificate', () => {
  it('of a user has what bindings to his name or group give, and who he is from the start', async () => {
    expect(await ask(jane, 'GET', `${here}/pods`)).toMatchObject({ code: 403 });
    expect(await ask(jane, 'GET', '/openapi/v3')).toMatchObject({ code: 200 });
    const view = { kind: 'ClusterRole', name: 'view' };
    await make(bindingsHere, binding('staff', view, { kind: 'Group', name: 'staff' }));
    expect(await ask(jane, 'GET', `${here}/pods`)).toMatchObject({ code: 200 });
    expect(await ask(jane, 'GET', here)).toMatchObject({ code: 200 });
    expect((await ask(jane, 'GET', '/api/v1/namespaces/kube-system')).body.message).toBe(
      'namespaces "kube-system" is forbidden: User "jane" cannot get resource "namespaces" in API group "" in the namespace "kube-system"',
    );
    expect(await ask(jane, 'GET', '/api/v1/namespaces')).toMatchObject({ code: 403 });
    expect(await ask(jane, 'GET', `${here}/secrets`)).toMatchObject({ code: 403 });
    expect(await ask(jane, 'DELETE', `${here}/pods`)).toMatchObject({ code: 403 });
  });

  it('of a node has no rights at the API', async () => {
    for (const path of [
      '/api',
      '/apis',
      '/openapi/v3',
      '/metrics',
      '/api/v1/nodes/n1',
      '/api/v1/pods',
    ])
      expect(await ask(node, 'GET', path)).toMatchObject({ code: 403 });
    const self = '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews';
    expect(await ask(node, 'POST', self, {})).toMatchObject({ code: 403 });
  });
});

describe('pods/exec', () => {
  it('is for who may get it: a role for pods is not enough', async () => {
    const headers = { connection: 'Upgrade', upgrade: 'websocket' };
    const exec = `${here}/pods/none/exec?command=ls`;
    expect((await ask({ ...jane, headers }, 'GET', exec)).body.message).toBe(
      'pods "none" is forbidden: User "jane" cannot get resource "pods/exec" in API group "" in the namespace "default"',
    );
    expect(await ask({ ...admin, headers }, 'GET', exec)).toMatchObject({ code: 404 });
    await make(rolesHere, role('exec', { ...readPods, resources: ['pods/exec'] }));
    const ref = { kind: 'Role', name: 'exec' };
    await make(bindingsHere, binding('exec', ref, { kind: 'User', name: 'jane' }));
    expect(await ask({ ...jane, headers }, 'GET', exec)).toMatchObject({ code: 404 });
    const as = { ...headers, 'Impersonate-User': 'jo' };
    expect(await ask({ ...admin, headers: as }, 'GET', exec)).toMatchObject({ code: 403 });
    expect(await ask({ headers }, 'GET', exec)).toMatchObject({ code: 401 });
  });
});

describe('reviews about others', () => {
  const reviews = '/apis/authorization.k8s.io/v1';
  const attributes = { namespace: 'default', verb: 'list', resource: 'pods' };

  it('say what bindings give, also to groups alone', async () => {
    const allowed = async (path: string, spec: object) =>
      (await ask(admin, 'POST', `${reviews}/${path}`, { spec })).body.status;
    const all = 'subjectaccessreviews';
    const asStaff = { resourceAttributes: attributes, groups: ['staff'] };
    expect(await allowed(all, asStaff)).toEqual({ allowed: true, reason: '' });
    const log = { ...attributes, subresource: 'exec', verb: 'get' };
    expect(await allowed(all, { ...asStaff, resourceAttributes: log })).toMatchObject({
      allowed: false,
    });
    const nonResourceAttributes = { path: '/apis/apps/v1', verb: 'get' };
    const groups = ['system:authenticated'];
    expect(await allowed(all, { nonResourceAttributes, groups })).toMatchObject({ allowed: true });
    const local = 'namespaces/default/localsubjectaccessreviews';
    expect(await allowed(local, asStaff)).toMatchObject({ allowed: true });
  });

  it('are refused where they ask for nothing, or for two things', async () => {
    const refused = async (path: string, spec: object) =>
      (await ask(admin, 'POST', `${reviews}/${path}`, { spec })).body.details?.causes?.map(
        ({ field }: { field: string }) => field,
      );
    const resourceAttributes = { ...attributes, namespace: 'other' };
    expect(await refused('selfsubjectaccessreviews', {})).toEqual(['spec.resourceAttributes']);
    expect(await refused('subjectaccessreviews', { resourceAttributes })).toEqual(['spec.user']);
    const local = 'namespaces/default/localsubjectaccessreviews';
    expect(await refused(local, { resourceAttributes, user: 'jane' })).toEqual([
      'spec.resourceAttributes.namespace',
    ]);
    const selector = { ...attributes, labelSelector: { rawSelector: 'a=b' } };
    expect(await refused('selfsubjectaccessreviews', { resourceAttributes: selector })).toEqual([
      'spec.resourceAttributes.labelSelector',
    ]);
  });
});

describe('one object', () => {
  it('may be listed and watched by its name where only that is allowed', async () => {
    const rule = { ...readPods, resources: ['configmaps'], resourceNames: ['mine'] };
    await make(rolesHere, role('mine', rule));
    const user = { kind: 'User', name: 'joe' };
    await make(bindingsHere, binding('mine', { kind: 'Role', name: 'mine' }, user));
    const joe = await certificate('joe');
    const maps = `${here}/configmaps`;
    expect(await ask(joe, 'GET', maps)).toMatchObject({ code: 403 });
    expect(await ask(joe, 'GET', `${maps}?fieldSelector=metadata.name%3Dmine`)).toMatchObject({
      code: 200,
    });
    const other = `${maps}?fieldSelector=metadata.name!%3Dmine`;
    expect(await ask(joe, 'GET', other)).toMatchObject({ code: 403 });
    const twice = `${maps}?fieldSelector=metadata.name%3Dmine&fieldSelector=`;
    expect((await ask(joe, 'GET', twice)).body.items).toEqual([]);
    const watch = `${maps}?watch=true&fieldSelector=metadata.name%3Dyours`;
    expect((await ask(joe, 'GET', watch)).body.message).toContain(
      '"yours" is forbidden: User "joe" cannot watch',
    );
  });
});

describe('impersonation', () => {
  const as = (by: Credential, headers: Credential['headers'] = {}): Credential => ({
    ...by,
    headers,
  });
  const whoami = async (by: Credential) =>
    (await ask(by, 'POST', '/apis/authentication.k8s.io/v1/selfsubjectreviews', {})).body;

  it('makes an administrator who he says, with the rights of that one', async () => {
    const someone = as(admin, {
      'Impersonate-User': 'jane',
      'Impersonate-Group': ['staff', 'a,b'],
      'Impersonate-Uid': 'u1',
      'Impersonate-Extra-some%2Fkey': ['x', 'y'],
    });
    expect((await whoami(someone)).status.userInfo).toEqual({
      username: 'jane',
      uid: 'u1',
      groups: ['staff', 'a,b', 'system:authenticated'],
      extra: { 'some/key': ['x', 'y'] },
    });
    const account = as(admin, { 'Impersonate-User': 'system:serviceaccount:default:bot' });
    expect((await whoami(account)).status.userInfo.groups).toContain(
      'system:serviceaccounts:default',
    );
    expect(await ask(account, 'GET', `${here}/secrets`)).toMatchObject({ code: 403 });
  });

  it('is refused to who may not, part by part, and never ignored', async () => {
    const toAdmin = { 'Impersonate-User': 'jane', 'Impersonate-Group': 'system:masters' };
    expect((await whoami(as(jane, toAdmin))).message).toBe(
      'users "jane" is forbidden: User "jane" cannot impersonate resource "users" in API group "" at the cluster scope',
    );
    const rule = {
      apiGroups: [''],
      resources: ['users'],
      verbs: ['impersonate'],
      resourceNames: ['jane'],
    };
    await make(`${rbac}/clusterroles`, role('be-jane', rule));
    const ref = { kind: 'ClusterRole', name: 'be-jane' };
    await make(
      `${rbac}/clusterrolebindings`,
      binding('be-jane', ref, { kind: 'User', name: 'kim' }),
    );
    const kim = await certificate('kim');
    expect((await whoami(as(kim, { 'Impersonate-User': 'jane' }))).status.userInfo.username).toBe(
      'jane',
    );
    expect(await whoami(as(kim, toAdmin))).toMatchObject({
      code: 403,
      details: { kind: 'groups', name: 'system:masters' },
    });
    expect(await whoami(as(admin, { 'Impersonate-Group': 'staff' }))).toMatchObject({ code: 400 });
    const unknown = { 'Impersonate-User': 'jane', 'Impersonate-Whatever': 'x' };
    expect(await whoami(as(admin, unknown))).toMatchObject({ code: 400 });
  });
});

describe('who writes roles', () => {
  let lead: Credential;
  beforeAll(async () => {
    lead = await certificate('lead');
    const all = { apiGroups: ['rbac.authorization.k8s.io'], resources: ['*'], verbs: ['*'] };
    // All verbs on roles are not all that there is: `escalate` and `bind` are taken away again.
    const verbs = ['get', 'list', 'create', 'update', 'patch', 'delete'];
    await make(`${rbac}/clusterroles`, role('lead', { ...all, verbs }, readPods));
    const ref = { kind: 'ClusterRole', name: 'lead' };
    await make(`${rbac}/clusterrolebindings`, binding('lead', ref, { kind: 'User', name: 'lead' }));
  });
  const secrets = { apiGroups: [''], resources: ['secrets', 'pods'], verbs: ['get'] };

  it('gives away only what he has, however he writes them', async () => {
    expect(await ask(lead, 'POST', rolesHere, role('ok', readPods))).toMatchObject({ code: 201 });
    const refused = {
      code: 403,
      body: {
        message:
          'roles.rbac.authorization.k8s.io "more" is forbidden: user "lead" (groups=["system:authenticated"]) is attempting to grant RBAC permissions not currently held:\n{APIGroups:[""], Resources:["secrets"], Verbs:["get"]}',
      },
    };
    const dry = '?dryRun=All';
    expect(await ask(lead, 'POST', rolesHere, role('more', secrets))).toMatchObject(refused);
    expect(await ask(lead, 'POST', rolesHere + dry, role('more', secrets))).toMatchObject(refused);
    const applied = {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'Role',
      ...role('more', secrets),
    };
    expect(await ask(lead, 'PATCH', `${rolesHere}/more?fieldManager=m`, applied)).toMatchObject(
      refused,
    );
    expect(await ask(lead, 'PUT', `${rolesHere}/ok`, role('ok', secrets))).toMatchObject({
      code: 403,
    });
    const aggregating = {
      aggregationRule: { clusterRoleSelectors: [{ matchLabels: { a: 'b' } }] },
    };
    const gather = { ...metadata('gather'), ...aggregating };
    expect(await ask(lead, 'POST', `${rbac}/clusterroles`, gather)).toMatchObject({ code: 403 });
  });

  it('binds only such roles, or those that he may bind', async () => {
    const me = { kind: 'User', name: 'lead' };
    const toAll = `${rbac}/clusterrolebindings`;
    const adminRef = { kind: 'ClusterRole', name: 'cluster-admin' };
    expect(await ask(lead, 'POST', toAll, binding('mine', adminRef, me))).toMatchObject({
      code: 403,
    });
    expect(await ask(lead, 'POST', bindingsHere, binding('mine', adminRef, me))).toMatchObject({
      code: 403,
    });
    const nothing = { kind: 'ClusterRole', name: 'nothing' };
    expect(await ask(lead, 'POST', toAll, binding('mine', nothing, me))).toMatchObject({
      code: 404,
    });
    const own = { kind: 'ClusterRole', name: 'lead' };
    expect(await ask(lead, 'POST', toAll, binding('own', own, me))).toMatchObject({ code: 201 });
    const bind = {
      ...{ apiGroups: ['rbac.authorization.k8s.io'], resources: ['clusterroles'] },
      ...{ verbs: ['bind'], resourceNames: ['edit'] },
    };
    await make(rolesHere, role('binder', bind));
    await make(bindingsHere, binding('binder', { kind: 'Role', name: 'binder' }, me));
    const edit = { kind: 'ClusterRole', name: 'edit' };
    expect(await ask(lead, 'POST', bindingsHere, binding('edits', edit, me))).toMatchObject({
      code: 201,
    });
    expect(await ask(lead, 'POST', toAll, binding('edits', edit, me))).toMatchObject({ code: 403 });
    const other = binding('edits', { kind: 'ClusterRole', name: 'view' }, me);
    expect(await ask(admin, 'PUT', `${bindingsHere}/edits`, other)).toMatchObject({
      code: 422,
      body: { message: expect.stringContaining('cannot change roleRef') },
    });
  });

  it('makes nothing by a patch that he may not make', async () => {
    const rule = { apiGroups: [''], resources: ['configmaps'], verbs: ['patch', 'get'] };
    await make(rolesHere, role('patcher', rule));
    const pat = { kind: 'User', name: 'pat' };
    await make(bindingsHere, binding('patcher', { kind: 'Role', name: 'patcher' }, pat));
    const map = { apiVersion: 'v1', kind: 'ConfigMap', ...metadata('new') };
    const path = `${here}/configmaps/new?fieldManager=m`;
    expect((await ask(await certificate('pat'), 'PATCH', path, map)).body.message).toContain(
      'cannot create',
    );
  });
});

describe('the leader', () => {
  it('keeps the default roles whole, and leaves those that say so', async () => {
    const url = `${rbac}/clusterroles/system:basic-user`;
    const before = await ask(admin, 'GET', url);
    await ask(admin, 'DELETE', url);
    await waitFor('the role again', async () => (await ask(admin, 'GET', url)).code === 200);
    expect((await ask(admin, 'GET', url)).body.rules).toEqual(before.body.rules);
    const binding = `${rbac}/clusterrolebindings/cluster-admin`;
    const stored = (await ask(admin, 'GET', binding)).body;
    const staff = { kind: 'User', name: 'me', apiGroup: 'rbac.authorization.k8s.io' };
    await ask(admin, 'PUT', binding, { ...stored, subjects: [staff] });
    await waitFor('the subjects again', async () => {
      const { subjects } = (await ask(admin, 'GET', binding)).body;
      return subjects.length === 2 && subjects[0].name === 'me';
    });
  });

  it('gives every namespace a ServiceAccount, again if need be', async () => {
    await make('/api/v1/namespaces', metadata('team'));
    const path = '/api/v1/namespaces/team/serviceaccounts/default';
    const isThere = async () => (await ask(admin, 'GET', path)).code === 200;
    await waitFor('the account', isThere);
    await ask(admin, 'DELETE', path);
    await waitFor('the account again', isThere);
  });

  it('fills aggregated roles, also with what comes later', async () => {
    const labels = { 'rbac.authorization.k8s.io/aggregate-to-view': 'true' };
    const rule = { apiGroups: ['example.com'], resources: ['things'], verbs: ['get'] };
    const things = { metadata: { name: 'things', labels }, rules: [rule] };
    await make(`${rbac}/clusterroles`, things);
    for (const name of ['view', 'edit', 'admin'])
      await waitFor(`${name} with things`, async () => {
        const { rules } = (await ask(admin, 'GET', `${rbac}/clusterroles/${name}`)).body;
        return rules.some((one: { apiGroups?: string[] }) =>
          one.apiGroups?.includes('example.com'),
        );
      });
  });
});
