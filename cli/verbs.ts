import type { Declaration } from './define-verb.ts';

export interface Verb {
  readonly about: string;
  /** Two lines that show what it is for. */
  readonly examples: readonly [string, string];
}

const verb = (about: string, examples: Verb['examples']): Verb => ({ about, examples });

/** Every verb, in the order of the help. */
export const verbs = {
  apply: verb('make the cluster as files say', [
    'orc apply -f shop.yaml                 create or change what the file describes',
    'orc apply -f manifests/ -R --wait      a whole directory, until all of it runs',
  ]),
  plan: verb('what an apply would change, field by field', [
    'orc plan -f shop.yaml                  each field, from what to what, and its line',
    'orc plan -f . --prune --applyset shop  and what would be deleted',
  ]),
  diff: verb('what an apply would change, line by line', [
    'orc diff -f shop.yaml                  the exit code says whether something would',
    'orc diff -f manifests/ -R | less       a whole directory',
  ]),
  get: verb('list objects', [
    'orc get pods -o wide                   where everything runs',
    'orc get deploy,svc -A -l app=shop      several kinds, everywhere, by label',
  ]),
  describe: verb('all about one object, with what happened to it', [
    'orc describe deploy/web                its pods, conditions and events',
    'orc describe node host1                what runs there and what is free',
  ]),
  explain: verb('what the fields of a kind mean', [
    'orc explain deploy.spec.strategy       one field, and those within it',
    'orc explain pod.spec --recursive       the names of all there are',
  ]),
  logs: verb('what containers print', [
    'orc logs -f deploy/web                 follow all of its pods',
    'orc logs -l app=shop --tail 20         the last lines of several pods',
  ]),
  exec: verb('run a command in a container', [
    'orc exec deploy/web -- cat /etc/hosts  run it in one of the pods',
    'orc exec -it web-5f7d-q8zkp -- sh      a shell',
  ]),
  run: verb('start one pod from an image', [
    'orc run web --image web:1 --port 80    and leave it running',
    'orc run -it --rm sh --image busybox    a shell, gone when it ends',
  ]),
  attach: verb('the terminal of what a container runs already', [
    'orc attach web-5f7d-q8zkp              what it prints from now on',
    'orc attach -it shell                   and its input and terminal',
  ]),
  'port-forward': verb('a port of a pod, on this machine', [
    'orc port-forward svc/web 8080:80       localhost:8080 is the Service’s port 80',
    'orc port-forward db-0 :5432            any free local port; it says which',
  ]),
  cp: verb('copy files to and from a container', [
    'orc cp web.conf deploy/web:/etc/web/   into a directory there',
    'orc cp db-0:/var/log ./db-log          a directory, from there',
  ]),
  delete: verb('remove objects, and wait until they are gone', [
    'orc delete deploy/web svc/web          by name',
    'orc delete -f shop.yaml                whatever the file describes',
  ]),
  scale: verb('change how many pods there are', [
    'orc scale deploy/web --replicas 5      and wait until they are ready',
    'orc scale deploy web api --replicas 0  several at once',
  ]),
  label: verb('set labels, or take them away', [
    'orc label deploy/web tier=shop         set one',
    'orc label pods --all tier-             take it from all pods',
  ]),
  annotate: verb('set annotations, or take them away', [
    'orc annotate svc/web owner=anna        set one',
    'orc annotate svc/web owner=bert --overwrite   one that is another already',
  ]),
  edit: verb('change an object in your editor', [
    'orc edit deploy/web                    as YAML; errors come back as comments',
    'orc edit cm/settings cm/more           one after the other',
  ]),
  patch: verb('change some fields of an object', [
    `orc patch deploy/web -p 'spec: {replicas: 3}'`,
    'orc patch node/host1 --type json --patch-file taint.yaml',
  ]),
  rollout: verb('follow, repeat or take back a change', [
    'orc rollout status deploy/web          wait until it is done',
    'orc rollout undo deploy/web            back to the revision before',
  ]),
  wait: verb('until objects are as wanted', [
    'orc wait pods -l app=shop --for condition=Ready',
    `orc wait pod/copy --for jsonpath='{.status.phase}'=Succeeded`,
  ]),
  cordon: verb('give a node no new pods', [
    'orc cordon host2                       what runs there runs on',
    'orc cordon host1 host2                 several',
  ]),
  uncordon: verb('give a node new pods again', [
    'orc uncordon host2                     after its maintenance',
    'orc uncordon host1 host2               several',
  ]),
  drain: verb('move everything off a node', [
    'orc drain host2                        its pods run elsewhere, then it returns',
    'orc drain host2 --timeout 1m           and waits no longer',
  ]),
  events: verb('what happened, latest last', [
    'orc events --for pod/web-5f7d-q8zkp    to one object',
    'orc events -A -w                       everywhere, as it happens',
  ]),
  top: verb('what nodes and pods use', [
    'orc top                                both, just now',
    'orc top pods -A --sort-by memory       the biggest first',
  ]),
  auth: verb('who you are and what you may do', [
    'orc auth whoami                        your name and your groups',
    'orc auth can-i delete pods -n shop     yes or no; --list shows all',
  ]),
  image: verb('the images of this machine, as root', [
    'orc image ls                           what there is',
    'orc image import hello.tar             of docker save, or an OCI layout',
  ]),
  token: verb('let a host join the cluster', [
    'orc token create                       a join token, and the command for the new host',
    'orc token create --ttl 10m             one that is soon worthless',
  ]),
  backup: verb('save the whole cluster’s state in a file', [
    'orc backup cluster.backup              while everything runs',
    'orc backup /mnt/$(date +%F)            one for each day; orc restore takes it',
  ]),
  reset: verb('take orc’s state off this machine', [
    'orc reset                              as root, and asks first',
    'orc reset --yes                        then orc agent join joins another cluster',
  ]),
  'api-resources': verb('the kinds of objects there are', [
    'orc api-resources                      names, short names, versions',
    'orc api-resources -o name              names only',
  ]),
  version: verb('of this command and of the controller', [
    'orc version                            both',
    'orc version --client                   without asking the controller',
  ]),
};

export type VerbName = keyof typeof verbs;

export const isVerb = (name: string): name is VerbName => Object.hasOwn(verbs, name);

/** Only the verb that is asked for is loaded. */
export const definitions: Readonly<Record<VerbName, () => Promise<Declaration>>> = {
  apply: async () => (await import('./commands/apply.ts')).defineApply,
  plan: async () => (await import('./commands/plan.ts')).definePlan,
  diff: async () => (await import('./commands/diff.ts')).defineDiff,
  get: async () => (await import('./commands/get.ts')).defineGet,
  describe: async () => (await import('./commands/describe.ts')).defineDescribe,
  explain: async () => (await import('./commands/explain.ts')).defineExplain,
  logs: async () => (await import('./commands/logs.ts')).defineLogs,
  exec: async () => (await import('./commands/exec.ts')).defineExec,
  run: async () => (await import('./commands/run.ts')).defineRun,
  attach: async () => (await import('./commands/attach.ts')).defineAttach,
  'port-forward': async () => (await import('./commands/port-forward.ts')).definePortForward,
  cp: async () => (await import('./commands/cp.ts')).defineCp,
  delete: async () => (await import('./commands/delete.ts')).defineDelete,
  scale: async () => (await import('./commands/scale.ts')).defineScale,
  label: async () => (await import('./commands/label.ts')).defineLabel,
  annotate: async () => (await import('./commands/label.ts')).defineAnnotate,
  edit: async () => (await import('./commands/edit.ts')).defineEdit,
  patch: async () => (await import('./commands/patch.ts')).definePatch,
  rollout: async () => (await import('./commands/rollout.ts')).defineRollout,
  wait: async () => (await import('./commands/wait.ts')).defineWait,
  cordon: async () => (await import('./commands/drain.ts')).defineCordon,
  uncordon: async () => (await import('./commands/drain.ts')).defineUncordon,
  drain: async () => (await import('./commands/drain.ts')).defineDrain,
  events: async () => (await import('./commands/events.ts')).defineEvents,
  top: async () => (await import('./commands/top.ts')).defineTop,
  auth: async () => (await import('./commands/auth.ts')).defineAuth,
  image: async () => (await import('./commands/image.ts')).defineImage,
  token: async () => (await import('./commands/token.ts')).defineToken,
  backup: async () => (await import('./commands/backup.ts')).defineBackup,
  reset: async () => (await import('./commands/reset.ts')).defineReset,
  'api-resources': async () => (await import('./commands/api-resources.ts')).defineApiResources,
  version: async () => (await import('./commands/version.ts')).defineVersion,
};
