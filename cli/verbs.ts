import type { DefineVerb } from './cli.ts';

export interface Verb {
  readonly about: string;
  /** Two lines that show what it is for. */
  readonly examples: readonly [string, string];
  /** Only the verb that is asked for is loaded. */
  load(): Promise<DefineVerb>;
}

/** Every verb, in the order of the help. */
export const verbs: Readonly<Record<string, Verb>> = {
  apply: {
    about: 'make the cluster as files say',
    examples: [
      'orc apply -f shop.yaml                 create or change what the file describes',
      'orc apply -f manifests/ -R --wait      a whole directory, until all of it runs',
    ],
    load: async () => (await import('./commands/apply.ts')).defineApply,
  },
  get: {
    about: 'list objects',
    examples: [
      'orc get pods -o wide                   where everything runs',
      'orc get deploy,svc -A -l app=shop      several kinds, everywhere, by label',
    ],
    load: async () => (await import('./commands/get.ts')).defineGet,
  },
  describe: {
    about: 'all about one object, with what happened to it',
    examples: [
      'orc describe deploy/web                its pods, conditions and events',
      'orc describe node host1                what runs there and what is free',
    ],
    load: async () => (await import('./commands/describe.ts')).defineDescribe,
  },
  logs: {
    about: 'what containers print',
    examples: [
      'orc logs -f deploy/web                 follow all of its pods',
      'orc logs -l app=shop --tail 20         the last lines of several pods',
    ],
    load: async () => (await import('./commands/logs.ts')).defineLogs,
  },
  exec: {
    about: 'run a command in a container',
    examples: [
      'orc exec deploy/web -- cat /etc/hosts  run it in one of the pods',
      'orc exec -it web-5f7d-q8zkp -- sh      a shell',
    ],
    load: async () => (await import('./commands/exec.ts')).defineExec,
  },
  run: {
    about: 'start one pod from an image',
    examples: [
      'orc run web --image web:1 --port 80    and leave it running',
      'orc run -it --rm sh --image busybox    a shell, gone when it ends',
    ],
    load: async () => (await import('./commands/run.ts')).defineRun,
  },
  attach: {
    about: 'the terminal of what a container runs already',
    examples: [
      'orc attach web-5f7d-q8zkp              what it prints from now on',
      'orc attach -it shell                   and its input and terminal',
    ],
    load: async () => (await import('./commands/attach.ts')).defineAttach,
  },
  'port-forward': {
    about: 'a port of a pod, on this machine',
    examples: [
      'orc port-forward svc/web 8080:80       localhost:8080 is the Service’s port 80',
      'orc port-forward db-0 :5432            any free local port; it says which',
    ],
    load: async () => (await import('./commands/port-forward.ts')).definePortForward,
  },
  cp: {
    about: 'copy files to and from a container',
    examples: [
      'orc cp web.conf deploy/web:/etc/web/   into a directory there',
      'orc cp db-0:/var/log ./db-log          a directory, from there',
    ],
    load: async () => (await import('./commands/cp.ts')).defineCp,
  },
  delete: {
    about: 'remove objects, and wait until they are gone',
    examples: [
      'orc delete deploy/web svc/web          by name',
      'orc delete -f shop.yaml                whatever the file describes',
    ],
    load: async () => (await import('./commands/delete.ts')).defineDelete,
  },
  scale: {
    about: 'change how many pods there are',
    examples: [
      'orc scale deploy/web --replicas 5      and wait until they are ready',
      'orc scale deploy web api --replicas 0  several at once',
    ],
    load: async () => (await import('./commands/scale.ts')).defineScale,
  },
  rollout: {
    about: 'follow, repeat or take back a change',
    examples: [
      'orc rollout status deploy/web          wait until it is done',
      'orc rollout undo deploy/web            back to the revision before',
    ],
    load: async () => (await import('./commands/rollout.ts')).defineRollout,
  },
  cordon: {
    about: 'give a node no new pods',
    examples: [
      'orc cordon host2                       what runs there runs on',
      'orc cordon host1 host2                 several',
    ],
    load: async () => (await import('./commands/drain.ts')).defineCordon,
  },
  uncordon: {
    about: 'give a node new pods again',
    examples: [
      'orc uncordon host2                     after its maintenance',
      'orc uncordon host1 host2               several',
    ],
    load: async () => (await import('./commands/drain.ts')).defineUncordon,
  },
  drain: {
    about: 'move everything off a node',
    examples: [
      'orc drain host2                        its pods run elsewhere, then it returns',
      'orc drain host2 --timeout 1m           and waits no longer',
    ],
    load: async () => (await import('./commands/drain.ts')).defineDrain,
  },
  events: {
    about: 'what happened, latest last',
    examples: [
      'orc events --for pod/web-5f7d-q8zkp    to one object',
      'orc events -A -w                       everywhere, as it happens',
    ],
    load: async () => (await import('./commands/events.ts')).defineEvents,
  },
  top: {
    about: 'what nodes and pods use',
    examples: [
      'orc top                                both, just now',
      'orc top pods -A --sort-by memory       the biggest first',
    ],
    load: async () => (await import('./commands/top.ts')).defineTop,
  },
  token: {
    about: 'let a host join the cluster',
    examples: [
      'orc token create                       a join token, and the command for the new host',
      'orc token create --ttl 10m             one that is soon worthless',
    ],
    load: async () => (await import('./commands/token.ts')).defineToken,
  },
  backup: {
    about: 'save the whole cluster’s state in a file',
    examples: [
      'orc backup cluster.backup              while everything runs',
      'orc backup /mnt/$(date +%F)            one for each day; orc restore takes it',
    ],
    load: async () => (await import('./commands/backup.ts')).defineBackup,
  },
  reset: {
    about: 'take orc’s state off this machine',
    examples: [
      'orc reset                              as root, and asks first',
      'orc reset --yes                        then orc agent join joins another cluster',
    ],
    load: async () => (await import('./commands/reset.ts')).defineReset,
  },
  'api-resources': {
    about: 'the kinds of objects there are',
    examples: [
      'orc api-resources                      names, short names, versions',
      'orc api-resources -o name              names only',
    ],
    load: async () => (await import('./commands/api-resources.ts')).defineApiResources,
  },
  version: {
    about: 'of this command and of the controller',
    examples: [
      'orc version                            both',
      'orc version --client                   without asking the controller',
    ],
    load: async () => (await import('./commands/version.ts')).defineVersion,
  },
};
