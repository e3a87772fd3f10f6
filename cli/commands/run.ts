import { Pod } from '../../api/pod.ts';
import { listOf, on, oneOf, text, UsageError, type ValuesOf } from '../../base/flags.ts';
import type { Cli } from '../cli.ts';
import { AlreadyTold, CliError } from '../cli-error.ts';
import { defineVerb } from '../define-verb.ts';
import { liveList } from '../live-list.ts';
import { printable } from '../print/colour.ts';
import { openProgress } from '../print/progress.ts';
import { collectionPath, ifFound, justThis, type ObjectRef, objectPath } from '../resources.ts';
import { failureOf } from '../rollout-state.ts';
import { hasTerminal, runInTerminal } from '../terminal.ts';

const runFlags = {
  command: on('ARGS are the command, not the arguments of the image’s'),
  image: text('image', 'what to run').required(),
  stdin: on('pass standard input on, and show its output until it ends').short('i'),
  tty: on('give it a terminal').short('t'),
  rm: on('show its output until it ends, then delete it'),
  restart: oneOf('policy', ['Always', 'OnFailure', 'Never'], 'Always'),
  env: listOf('name=value', 'a variable', pair).short('e'),
  port: text('number', 'that it listens on').whole(1, 65_535),
  labels: text('labels', 'a=b,c=d (default: run=NAME)').parsed(pairs).short('l'),
};

export const defineRun = defineVerb({
  words: { '<name>': 'of the pod', '[args...]': 'behind --, for the image’s command' },
  flags: runFlags,
  usage: '[flags] NAME --image IMAGE [-- ARGS…]',
  run,
});

type RunFlags = ValuesOf<typeof runFlags>;
type Mode = Pick<RunFlags, 'stdin' | 'tty'>;

async function run(cli: Cli, words: readonly string[], flags: RunFlags) {
  const [name = '', ...args] = words;
  const ref = { kind: Pod, name, namespace: await cli.namespace() };
  const { stdin, rm } = flags;
  if (flags.tty && !stdin) throw new UsageError('-t needs -i: a terminal is for its input');
  if (flags.command && args.length === 0) throw new UsageError('--command needs one, behind --');
  const tty = hasTerminal(cli, flags.tty);
  const body = podOf(name, args, { ...flags, stdin, tty });
  await cli.api.send({
    ...{ method: 'POST', path: collectionPath(ref), query: { fieldManager: 'orc' }, body },
  });
  if (!stdin && !rm) return cli.out(`pod/${name} created`);
  try {
    return await follow(cli, ref, { stdin, tty });
  } finally {
    if (rm) await ifFound(cli.api.send({ method: 'DELETE', path: objectPath(ref) }));
    cli.err(rm ? `pod/${name} deleted` : `pod/${name} is still there: orc delete pod ${name}`);
  }
}

function podOf(name: string, args: readonly string[], flags: RunFlags) {
  const { image, restart, env, port, labels = { run: name }, stdin, tty } = flags;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, labels },
    spec: {
      restartPolicy: restart,
      containers: [
        {
          ...{ name, image, stdin, tty, stdinOnce: stdin },
          ...(args.length > 0 ? { [flags.command ? 'command' : 'args']: args } : {}),
          env: env.map(([key, value]) => ({ name: key, value })),
          ports: port === undefined ? [] : [{ containerPort: port }],
        },
      ],
    },
  };
}

function pair(text: string, flag: string): readonly [string, string] {
  const [, key = '', value = ''] = /^([^=]+)=(.*)$/s.exec(text) ?? [];
  if (key === '') throw new UsageError(`--${flag} takes NAME=VALUE, not "${text}"`);
  return [key, value];
}

function pairs(text: string, flag: string): Readonly<Record<string, string>> {
  return Object.fromEntries(text.split(',').map((one) => pair(one, flag)));
}

/**
 * Until its first run ends; gives the exit code. A terminal is attached to; otherwise the output is read from the log,
 * so that nothing is missing of what was printed before anybody could attach.
 */
async function follow(cli: Cli, ref: ObjectRef, { stdin, tty }: Mode): Promise<number> {
  const pod = await whenPod(cli, ref, (pod) => stateOf(pod).running ?? exitOf(pod));
  const wanted = { pod, container: ref.name, command: undefined, stdin, tty, output: tty };
  const isRunning = exitOf(pod) === undefined;
  if (tty && isRunning) {
    cli.err('If there is no prompt, press Enter.');
    await runInTerminal(cli, wanted);
  } else {
    // One that has ended before it could be attached to needs no input.
    if (stdin && isRunning) runInTerminal(cli, wanted).catch(() => {});
    await printLog(cli, ref);
  }
  return exitOf(await whenPod(cli, ref, exitOf)) ?? 1;
}

async function printLog(cli: Cli, ref: ObjectRef): Promise<void> {
  const signal = cli.io.interruption();
  const query = { container: ref.name, follow: true };
  const log = await cli.api.open({ path: objectPath(ref, 'log'), query, signal });
  try {
    for await (const chunk of log) cli.io.stdout.write(chunk as Buffer);
  } catch (error) {
    throw signal.aborted ? interrupted(cli) : error;
  }
}

function interrupted(cli: Cli): AlreadyTold {
  cli.err('interrupted');
  return new AlreadyTold(130);
}

const stateOf = ({ status }: Pod) => status.containerStatuses?.[0]?.state ?? {};

/** Of its first run. */
const exitOf = ({ status }: Pod): number | undefined =>
  status.containerStatuses?.[0]?.lastState.terminated?.exitCode ??
  status.containerStatuses?.[0]?.state.terminated?.exitCode;

/** Waits until the pod is so. Throws CliError when it can't be, AlreadyTold at Ctrl-C. */
async function whenPod(cli: Cli, ref: ObjectRef, holds: (pod: Pod) => unknown): Promise<Pod> {
  const { stderr, clock, interruption } = cli.io;
  const progress = openProgress(stderr, clock);
  try {
    for await (const [pod] of liveList<Pod>(cli.api, justThis(ref), interruption())) {
      if (!pod) throw new CliError(`pod/${ref.name} is gone`);
      if (holds(pod) !== undefined) return pod;
      const [failing] = failureOf(pod);
      if (failing)
        throw new CliError(printable(`pod/${ref.name} ${failing.reason}: ${failing.message}`));
      progress.update(`waiting for pod/${ref.name}`);
    }
  } finally {
    progress.end();
  }
  throw interrupted(cli);
}
