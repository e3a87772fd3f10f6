import { Deployment } from '../../api/deployment.ts';
import { UsageError } from '../../base/flags.ts';
import type { Cli, DefineVerb } from '../cli.ts';
import { resultName } from '../kind-lookup.ts';
import { parseDuration } from '../print/duration.ts';
import { mergePatch, type ObjectRef } from '../resources.ts';
import { parseNamedTargets } from '../targets.ts';
import { followRollouts } from './follow-rollout.ts';

export const defineScale: DefineVerb = (command, act) => {
  command
    .argument('<what...>', 'deploy/web · deploy web api')
    .requiredOption('--replicas <count>', 'how many pods there shall be')
    .option('--no-wait', 'don’t wait until they are ready')
    .option('--timeout <time>', 'for waiting', '5m')
    .action(act(scale));
};

interface ScaleFlags {
  readonly replicas: string;
  readonly wait: boolean;
  readonly timeout: string;
}

async function scale(cli: Cli, words: readonly string[], flags: ScaleFlags): Promise<number> {
  if (!/^\d+$/.test(flags.replicas))
    throw new UsageError(`--replicas must be a number, not "${flags.replicas}"`);
  const replicas = Number(flags.replicas);
  const timeoutMs = parseDuration('--timeout', flags.timeout);
  const targets = parseNamedTargets(words);
  const fixed = targets.find(({ kind }) => !kind.subresources.includes('scale'));
  if (fixed) throw new UsageError(`${fixed.kind.plural} have no number of replicas`);
  const [client, namespace] = [await cli.client(), await cli.namespace()];
  const scaled: ObjectRef[] = [];
  for (const { kind, name } of targets) {
    const ref = { kind, name, namespace };
    await mergePatch(client, ref, { subresource: 'scale', patch: { spec: { replicas } } });
    cli.out(`${resultName(kind)}/${name} scaled to ${replicas}`);
    scaled.push(ref);
  }
  const rollouts = scaled.filter(({ kind }) => kind.kind === Deployment.kind);
  if (flags.wait && rollouts.length > 0) await followRollouts(cli, rollouts, { timeoutMs });
  return 0;
}
