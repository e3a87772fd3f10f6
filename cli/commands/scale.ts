import { Deployment } from '../../api/deployment.ts';
import { on, text, UsageError } from '../../base/flags.ts';
import { defineVerb } from '../define-verb.ts';
import { titleOf } from '../kind-lookup.ts';
import { timeoutFlag } from '../print/duration.ts';
import { refsMeant } from '../targets.ts';
import { followRollouts } from './follow-rollout.ts';

export const defineScale = defineVerb({
  words: { '<what...>': 'deploy/web · deploy web api' },
  flags: {
    replicas: text('count', 'how many pods there shall be').whole().required(),
    'no-wait': on('don’t wait until they are ready'),
    timeout: timeoutFlag,
  },
  async run(cli, words, { replicas, noWait, timeout }) {
    const refs = await refsMeant(cli, words);
    const fixed = refs.find(({ kind }) => !kind.subresources.includes('scale'));
    if (fixed) throw new UsageError(`${fixed.kind.plural} have no number of replicas`);
    for (const ref of refs) {
      await cli.api.patch(ref, { body: { spec: { replicas } }, subresource: 'scale' });
      cli.out(`${titleOf(ref)} scaled to ${replicas}`);
    }
    const rollouts = refs.filter(({ kind }) => kind === Deployment);
    if (!noWait && rollouts.length > 0) await followRollouts(cli, rollouts, timeout);
  },
});
