import { Node } from '../../api/node.ts';
import type { Pod } from '../../api/pod.ts';
import { isPodFinished } from '../../api/pod-facts.ts';
import { on, text, type ValuesOf } from '../../base/flags.ts';
import type { Cli } from '../cli.ts';
import { AlreadyTold } from '../cli-error.ts';
import { defineVerb } from '../define-verb.ts';
import { onNode, podRef } from '../pods-of.ts';
import { timeoutFlag } from '../print/duration.ts';
import { ifFound, type ObjectRef, objectPath } from '../resources.ts';
import { untilGone } from './until-gone.ts';

const words = { '<nodes...>': 'their names' };

export const defineCordon = defineVerb({ words, run: (cli, names) => mark(cli, names, true) });

export const defineUncordon = defineVerb({ words, run: (cli, names) => mark(cli, names, false) });

const drainFlags = {
  force: on('pods too that nothing makes anew'),
  'delete-emptydir-data': on('pods too whose emptyDir volumes get lost'),
  'ignore-daemonsets': on('there are none'),
  'grace-period': text('seconds', 'for containers to end by themselves').whole(),
  timeout: timeoutFlag,
};

export const defineDrain = defineVerb({ words, flags: drainFlags, run: drain });

async function mark(cli: Cli, names: readonly string[], unschedulable: boolean): Promise<void> {
  const word = unschedulable ? 'cordoned' : 'uncordoned';
  for (const ref of names.map(nodeRef)) {
    const { spec } = await cli.api.get<Node>(ref);
    const isSo = (spec.unschedulable ?? false) === unschedulable;
    if (!isSo) await cli.api.patch(ref, { body: { spec: { unschedulable } } });
    cli.out(`node/${ref.name} ${isSo ? 'already ' : ''}${word}`);
  }
}

const nodeRef = (word: string): ObjectRef => ({
  kind: Node,
  namespace: '',
  name: word.replace(/^nodes?\//, ''),
});

type DrainFlags = ValuesOf<typeof drainFlags>;

/** Cordons them; then evicts their pods, all or (if one of them would be lost) none; waits until they are gone. */
async function drain(cli: Cli, names: readonly string[], flags: DrainFlags): Promise<void> {
  await mark(cli, names, true);
  const pods = await podsOn(cli, names);
  const kept = pods.flatMap((pod) => lossesOf(pod, flags));
  for (const line of kept) cli.err(`orc: ${line}`);
  if (kept.length > 0) {
    cli.err('nothing was evicted; the nodes stay cordoned');
    throw new AlreadyTold(1);
  }
  const { gracePeriod: gracePeriodSeconds } = flags;
  const deleteOptions = gracePeriodSeconds === undefined ? undefined : { gracePeriodSeconds };
  for (const pod of pods) await evict(cli, pod, deleteOptions);
  const evicted = pods.map((pod) => ({ ref: podRef(pod), uid: pod.metadata.uid }));
  await untilGone(cli, evicted, flags.timeout);
  for (const { name } of names.map(nodeRef)) cli.out(`node/${name} drained`);
}

async function evict(cli: Cli, pod: Pod, deleteOptions: unknown): Promise<void> {
  const { name, namespace } = pod.metadata;
  const path = objectPath(podRef(pod), 'eviction');
  const body = { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name, namespace } };
  const sent = cli.api.send({ method: 'POST', path, body: { ...body, deleteOptions } });
  if (await ifFound(sent)) cli.out(`pod/${name} evicted`);
}

async function podsOn({ api }: Cli, names: readonly string[]): Promise<readonly Pod[]> {
  const lists = await Promise.all(names.map((name) => api.list<Pod>(onNode(nodeRef(name).name))));
  return lists.flatMap(({ items }) => items);
}

/** What would be gone for good with a pod, unless the flags allow it. */
function lossesOf(pod: Pod, { force, deleteEmptydirData }: DrainFlags): readonly string[] {
  if (isPodFinished(pod)) return [];
  const { namespace, name, ownerReferences = [] } = pod.metadata;
  const isKept = (pod.spec.volumes ?? []).some(({ emptyDir }) => emptyDir !== undefined);
  const isMadeAnew = ownerReferences.some(({ controller }) => controller);
  const losses = [
    !force && !isMadeAnew && 'nothing makes it anew (--force takes it all the same)',
    !deleteEmptydirData &&
      isKept &&
      'what is in its emptyDir gets lost (--delete-emptydir-data allows it)',
  ];
  return losses.filter((loss) => loss !== false).map((loss) => `pod ${namespace}/${name}: ${loss}`);
}
