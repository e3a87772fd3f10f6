import type { Condition } from '../../api/condition.ts';
import { formatValue, parseJsonPath } from '../../api/json-path.ts';
import type { AnyObject } from '../../api/kind.ts';
import { text, UsageError } from '../../base/flags.ts';
import type { Cli } from '../cli.ts';
import { CliError } from '../cli-error.ts';
import { defineVerb } from '../define-verb.ts';
import { openWait } from '../io.ts';
import { titleOf } from '../kind-lookup.ts';
import { liveList } from '../live-list.ts';
import { timeoutFlag } from '../print/duration.ts';
import { openProgress } from '../print/progress.ts';
import { ifFound, justThis, type ObjectRef } from '../resources.ts';
import { refsMeant, selectionFlags } from '../targets.ts';

const forms =
  'condition=, jsonpath=, create or delete; condition=Ready, condition=Ready=False, jsonpath={.status.phase}=Running';

export const defineWait = defineVerb({
  words: { '<what...>': 'deploy/web · pod a b · pods (with -l or --all)' },
  flags: { ...selectionFlags, for: text('what', forms).required(), timeout: timeoutFlag },
  async run(cli, words, flags) {
    const wanted = parseWanted(flags.for);
    const refs = await refsMeant(cli, words, flags);
    // What is gone already has been waited for.
    if (refs.length === 0) return flags.for === 'delete' ? 0 : 1;
    const left = new Set(refs.map(titleOf));
    const title = () => `${flags.for} of ${[...left].join(' ')}`;
    const progress = openProgress(cli.io.stderr, cli.io.clock);
    using wait = openWait(cli.io, flags.timeout);
    const waitForOne = async (ref: ObjectRef) => {
      if (!(await comesTrue(cli, ref, { ...wanted, signal: wait.signal }))) return;
      left.delete(titleOf(ref));
      progress.end();
      cli.out(`${titleOf(ref)} condition met`);
      if (left.size > 0) progress.update(`waiting for ${title()}`);
    };
    progress.update(`waiting for ${title()}`);
    await Promise.all(refs.map(waitForOne)).finally(() => progress.end());
    if (left.size === 0) return 0;
    const why = cli.io.interruption().aborted ? 'interrupted' : 'time is up';
    cli.err(`orc: ${why}: still waiting for ${title()}`);
    return 1;
  },
});

interface Wanted {
  /** undefined: there is no such object. */
  holds(object: AnyObject | undefined): boolean;
  /** It may come, or go, while it is waited for. */
  readonly mayBeAbsent: boolean;
}

/** Throws UsageError. */
export function parseWanted(form: string): Wanted {
  if (form === 'delete') return { holds: (object) => object === undefined, mayBeAbsent: true };
  if (form === 'create') return { holds: (object) => object !== undefined, mayBeAbsent: true };
  const [, how, rest = ''] = /^(condition|jsonpath)=(.+)$/s.exec(form) ?? [];
  if (how === 'condition') return { holds: conditionHolds(rest), mayBeAbsent: false };
  if (how === 'jsonpath') return { holds: pathHolds(rest), mayBeAbsent: false };
  throw new UsageError(`--for is one of ${forms}, not "${form}"`);
}

interface ConditionStatus {
  readonly conditions?: readonly (Condition & { readonly observedGeneration?: number })[];
  readonly observedGeneration?: number;
}

/** "Ready" or "Ready=False", in any case; one that is about an older generation doesn't count. */
function conditionHolds(text: string): Wanted['holds'] {
  const [type = '', value = 'true'] = text.toLowerCase().split('=');
  return (object) => {
    const status = (object?.status ?? {}) as ConditionStatus;
    const found = status.conditions?.find((one) => one.type.toLowerCase() === type);
    const seen = found?.observedGeneration ?? status.observedGeneration ?? Infinity;
    const isOld = seen < (object?.metadata.generation ?? 0);
    return !isOld && found?.status.toLowerCase() === value;
  };
}

/** "{.status.phase}=Running"; without a value, that there is one. */
function pathHolds(text: string): Wanted['holds'] {
  const [, expression = '', value] = /^(\{.*\}|[^=]*)(?:=(.*))?$/s.exec(text) ?? [];
  const path = parseJsonPath(expression);
  const wanted = value?.replace(/^(["'])(.*)\1$/s, '$2');
  return (object) => {
    const found = path(object);
    if (found.length > 1) throw new CliError(`${expression} finds more than one value`);
    return found.length === 1 && (wanted === undefined || formatValue(found[0]) === wanted);
  };
}

/** False: the signal came first. */
export async function comesTrue(
  { api }: Cli,
  ref: ObjectRef,
  { holds, mayBeAbsent, signal }: Wanted & { readonly signal: AbortSignal },
): Promise<boolean> {
  // Once, however short the time is.
  const first = await (mayBeAbsent ? ifFound(api.get(ref)) : api.get(ref));
  if (holds(first)) return true;
  for await (const objects of liveList(api, justThis(ref), signal)) {
    const now = objects.find(({ metadata }) => !first || metadata.uid === first.metadata.uid);
    if (now === undefined && !mayBeAbsent) throw new CliError(`${titleOf(ref)} was deleted`);
    if (holds(now)) return true;
  }
  return false;
}
