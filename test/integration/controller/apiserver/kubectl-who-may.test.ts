import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Namespace } from '../../../../api/namespace.ts';
import type { RunningLoops } from '../../../../controller/store/run-loops.ts';
import { anObject } from '../../../support/an-object.ts';
import { findKubectls, type Kubectl, runKubectl } from '../../../support/kubectl.ts';
import { runRbacLoops } from '../../../support/rbac-loops.ts';
import { openTlsWorld, type TlsWorld } from '../../../support/tls-world.ts';
import { waitFor } from '../../../support/wait-for.ts';

/** The oldest, the newest, and the newest that creates in JSON. */
const kubectls = findKubectls().filter(({ version }) => ['1.27', '1.31', '1.33'].includes(version));
const sendsProtobuf = ({ version }: Kubectl) => version === '1.33';

let world: TlsWorld;
let loops: RunningLoops;

beforeAll(async () => {
  world = await openTlsWorld();
  await world.objects.create(Namespace, anObject(Namespace, { metadata: { name: 'kube-system' } }));
  loops = runRbacLoops(world);
});

afterAll(async () => {
  await loops.stop();
  await world.close();
});

it.skipIf(kubectls.length === 0)('needs a kubectl.1.x in PATH or in KUBECTL_DIR', () => {
  expect(kubectls.length).toBeGreaterThan(0);
});

const manifests = (ns: string) => `
apiVersion: v1
kind: ServiceAccount
metadata: {name: ci, namespace: ${ns}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: reader, namespace: ${ns}}
rules:
- {apiGroups: [""], resources: [pods], verbs: [get, list, watch]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: reader, namespace: ${ns}}
subjects:
- {kind: ServiceAccount, name: ci, namespace: ${ns}}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: reader}
`;

const tokenRequest = '{"apiVersion":"authentication.k8s.io/v1","kind":"TokenRequest","spec":{}}';

describe.each(kubectls)('kubectl $version', (kubectl: Kubectl) => {
  const ns = `v${kubectl.version.replace('.', '-')}`;
  let kubeconfig: string;

  const kube = (args: string, more: { input?: string; kubeconfig?: string } = {}) =>
    runKubectl(kubectl, args.split(' '), { kubeconfig, cacheDir: join(world.dir, ns), ...more });
  const ok = async (args: string, input = ''): Promise<string> => {
    const { code, out, err } = await kube(args, { input });
    expect({ args, code, err }).toEqual({ args, code: 0, err: '' });
    return out;
  };
  /** One that has only the token. */
  const withToken = async (token: string): Promise<string> => {
    const path = join(world.dir, `${ns}.kubeconfig`);
    const server = `https://127.0.0.1:${world.port}`;
    const ca = Buffer.from(world.ca.certificate).toString('base64');
    const cluster = `{"server":"${server}","certificate-authority-data":"${ca}"}`;
    await writeFile(
      path,
      `{"apiVersion":"v1","kind":"Config","clusters":[{"name":"c","cluster":${cluster}}],"users":[{"name":"u","user":{"token":"${token}"}}],"contexts":[{"name":"x","context":{"cluster":"c","user":"u"}}],"current-context":"x"}`,
    );
    return path;
  };

  beforeAll(async () => {
    ({ kubeconfig } = world);
    const namespace = `{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"${ns}"}}`;
    await ok('apply -f -', namespace);
    await waitFor(
      'the default account',
      async () => (await kube(`get sa default -n ${ns}`)).code === 0,
    );
  });

  it('makes accounts, roles and bindings, and shows them', async () => {
    await ok('apply -f -', manifests(ns));
    if (!sendsProtobuf(kubectl)) {
      await ok(`create sa other -n ${ns}`);
      await ok(`create role other --verb=get --resource=configmaps,pods/log -n ${ns}`);
      await ok(`create rolebinding other --role=other --serviceaccount=${ns}:other -n ${ns}`);
      await ok(`create clusterrole ${ns} --verb=get --non-resource-url=/metrics`);
      await ok(`create clusterrolebinding ${ns} --clusterrole=${ns} --user=jane --group=staff`);
    }
    expect(await ok(`get role reader -n ${ns}`)).toMatch(/^NAME +CREATED AT\nreader +20\S+Z\n$/);
    expect(await ok(`get rolebinding reader -n ${ns} -o wide`)).toMatch(
      new RegExp(
        `^NAME +ROLE +AGE +USERS +GROUPS +SERVICEACCOUNTS\nreader +Role/reader +\\S+ +${ns}/ci\n$`,
      ),
    );
    expect(await ok(`describe role reader -n ${ns}`)).toMatch(
      /pods +\[\] +\[\] +\[get list watch\]/,
    );
    expect(await ok(`describe rolebinding reader -n ${ns}`)).toMatch(/ServiceAccount +ci/);
    expect(await ok(`describe sa ci -n ${ns}`)).toMatch(/^Name: +ci\n/);
    expect(await ok(`apply -f -`, manifests(ns))).toMatch(/unchanged\n.*unchanged\n.*unchanged\n/);
  });

  it('asks what somebody may do, in the name of another', async () => {
    if (sendsProtobuf(kubectl)) return;
    const ci = `--as=system:serviceaccount:${ns}:ci -n ${ns}`;
    expect(await ok(`auth can-i list pods ${ci}`)).toBe('yes\n');
    expect(await kube(`auth can-i delete pods ${ci}`)).toMatchObject({ code: 1, out: 'no\n' });
    expect(await ok(`auth can-i get /apis --as=jane`)).toBe('yes\n');
    const list = await ok(`auth can-i --list ${ci}`);
    expect(list).toMatch(/^pods +\[\] +\[\] +\[get list watch\]$/m);
    expect(list).toMatch(/^ +\[\/apis\] +\[\] +\[get\]$/m);
    expect(await ok('auth can-i * *')).toBe('yes\n');
    expect(await kube(`get pods ${ci}`)).toMatchObject({ code: 0 });
  });

  it('gets a token that is allowed what the role says, and is refused the rest', async () => {
    const made = sendsProtobuf(kubectl)
      ? JSON.parse(
          await ok(
            `create --raw /api/v1/namespaces/${ns}/serviceaccounts/ci/token -f -`,
            tokenRequest,
          ),
        ).status.token
      : (await ok(`create token ci -n ${ns} --duration 20m`)).trim();
    const only = { kubeconfig: await withToken(made) };
    expect(await kube(`get pods -n ${ns}`, only)).toMatchObject({ code: 0 });
    expect(await kube(`get secrets -n ${ns}`, only)).toMatchObject({
      code: 1,
      err: `Error from server (Forbidden): secrets is forbidden: User "system:serviceaccount:${ns}:ci" cannot list resource "secrets" in API group "" in the namespace "${ns}"\n`,
    });
    if (kubectl.version === '1.31')
      expect((await kube('auth whoami', only)).out).toContain(`system:serviceaccount:${ns}:ci`);
    const stranger = { kubeconfig: await withToken('wrong') };
    expect((await kube('get pods', stranger)).err).toContain('You must be logged in to the server');
    const flag = await kube(`get pods -n ${ns} --token=${made}`, {
      kubeconfig: await withToken('x'),
    });
    expect(flag).toMatchObject({ code: 0 });
  });

  it('creates reviews from files, and explains them', async () => {
    const spec = '{"resourceAttributes":{"verb":"get","resource":"pods"}}';
    const review = `{"apiVersion":"authorization.k8s.io/v1","kind":"SelfSubjectAccessReview","spec":${spec}}`;
    expect(JSON.parse(await ok('create -f - -o json', review)).status).toMatchObject({
      allowed: true,
    });
    expect(await ok('explain clusterrole.aggregationRule')).toContain('clusterRoleSelectors');
    expect(await ok('api-resources --verbs=create -o name')).toContain(
      'tokenreviews.authentication.k8s.io',
    );
  });
});
