import { configMap, deployment, service } from './manifests.ts';

/** A command whose conversation with the server is kept in recorded/. It begins with what seeds.ts makes. */
export interface Conversation {
  readonly args: string;
  readonly input?: object;
  readonly editor?: string;
  /** Not 0 where the command is to fail. */
  readonly code?: number;
  /** It goes on for ever, and has seen enough when it has printed this. */
  readonly until?: string;
}

const web = (image: string) => deployment('web', image);
const list = (...items: readonly object[]) => ({ apiVersion: 'v1', kind: 'List', items });

/** Named as their files are. Loops don't run: what a command changes stays as it left it. */
export const conversations: Readonly<Record<string, Conversation>> = {
  'apply-new': { args: 'apply -f -', input: list(deployment('new'), service('new')) },
  'apply-changed': { args: 'apply -f -', input: web('web:2') },
  'apply-server-side': { args: 'apply --server-side -f -', input: configMap('new') },
  'apply-server-side-conflict': {
    ...{ args: 'apply --server-side --field-manager=other -f -', code: 1 },
    input: configMap('owned', { key: 'other' }),
  },
  'apply-server-side-force': {
    args: 'apply --server-side --field-manager=other --force-conflicts -f -',
    input: configMap('owned', { key: 'other' }),
  },
  'apply-dry-run': { args: 'apply -f - --dry-run=server', input: configMap('plain', { key: '2' }) },
  'apply-invalid': { args: 'apply -f -', input: deployment('web', 'web:1', -1), code: 1 },
  diff: { args: 'diff -f -', input: configMap('plain', { key: 'two' }), code: 1 },
  create: { args: 'create -f -', input: configMap('new') },
  'create-again': { args: 'create -f -', input: configMap('plain'), code: 1 },
  run: { args: 'run new --image=new:1 --port=80' },
  expose: { args: 'expose deploy web --port=80 --name=exposed' },
  replace: { args: 'replace -f -', input: configMap('plain', { key: 'two' }) },
  'replace-force': { args: 'replace --force -f -', input: configMap('plain', { key: 'two' }) },
  edit: { args: 'edit cm plain', editor: 'sed -i s/one/two/' },
  'patch-strategic': { args: 'patch deploy web -p {"spec":{"replicas":5}}' },
  'patch-merge': { args: 'patch cm plain --type=merge -p {"data":{"key":null,"other":"x"}}' },
  'patch-json': {
    args: 'patch cm plain --type=json -p [{"op":"replace","path":"/data/key","value":"x"}]',
  },
  'patch-status': {
    args: 'patch deploy web --subresource=status --type=merge -p {"status":{"replicas":1}}',
  },
  label: { args: 'label cm plain a=1 b=2' },
  annotate: { args: 'annotate cm plain a=1' },
  'set-image': { args: 'set image deploy/web web=web:9' },
  'set-env': { args: 'set env deploy/web A=b' },
  scale: { args: 'scale deploy web --replicas=4' },
  'scale-current': { args: 'scale deploy web --current-replicas=2 --replicas=4' },
  'rollout-status': { args: 'rollout status deploy/web' },
  'rollout-history': { args: 'rollout history deploy/web --revision=1' },
  'rollout-undo': { args: 'rollout undo deploy/web' },
  'rollout-restart': { args: 'rollout restart deploy/web' },
  'rollout-pause': { args: 'rollout pause deploy/web' },
  get: { args: 'get pods,deploy,svc,cm,nodes' },
  'get-missing': { args: 'get cm nothing', code: 1 },
  'get-yaml': { args: 'get cm plain -o yaml' },
  'get-sorted': { args: 'get cm --sort-by=.metadata.name' },
  'get-selected': { args: 'get pods -l app,app!=x --field-selector=spec.nodeName=n1 -o name' },
  'get-all': { args: 'get all -A' },
  'get-pages': { args: 'get cm --chunk-size=1 -o name' },
  'get-watch': { args: 'get cm plain -w', until: 'plain' },
  'describe-pod': { args: 'describe pod web-1' },
  'describe-deploy': { args: 'describe deploy web' },
  'describe-service': { args: 'describe svc web' },
  'describe-node': { args: 'describe node n1' },
  'describe-namespace': { args: 'describe ns default' },
  events: { args: 'events --for pod/web-1' },
  wait: { args: 'wait --for=condition=Ready pod/web-1' },
  'wait-late': { args: 'wait --for=delete pod/web-1 --timeout=1s', code: 1 },
  logs: { args: 'logs web-1 --tail=2 --timestamps' },
  'top-pods': { args: 'top pods' },
  'top-nodes': { args: 'top nodes' },
  cordon: { args: 'cordon n1' },
  taint: { args: 'taint node n1 a=b:NoSchedule' },
  drain: { args: 'drain n1 --force --grace-period=0' },
  'drain-dry-run': { args: 'drain n1 --force --dry-run=server' },
  delete: { args: 'delete cm plain' },
  'delete-dry-run': { args: 'delete cm plain --dry-run=server' },
  'delete-orphan': { args: 'delete deploy web --cascade=orphan --wait=false' },
  'delete-now': { args: 'delete pod web-1 --force --grace-period=0' },
  'delete-selected': { args: 'delete cm -l colour' },
};
