import { readFile } from 'node:fs/promises';
import { kinds } from '../../api/kinds.ts';
import { about } from '../../base/error-chain.ts';
import { on, oneOf, text, UsageError } from '../../base/flags.ts';
import { defineVerb } from '../define-verb.ts';
import { parseOne } from '../manifest.ts';
import { outputFlag } from '../print/output.ts';
import { refsMeant } from '../targets.ts';
import { openChanges } from './change-objects.ts';

export const definePatch = defineVerb({
  words: { '<what...>': 'deploy/web · deploy web api' },
  flags: {
    patch: text('text', 'in YAML or JSON').short('p'),
    'patch-file': text('path', 'that holds it'),
    type: oneOf('type', ['strategic', 'merge', 'json']),
    subresource: oneOf('part', ['status', 'scale']),
    'dry-run': on('say what would change; change nothing'),
    output: outputFlag,
  },
  async run(cli, words, flags) {
    const { type, subresource, patch: given, patchFile: file } = flags;
    if ((given === undefined) === (file === undefined))
      throw new UsageError('give the patch, by -p TEXT or --patch-file PATH');
    const content = file && (await about(`cannot read ${file}`, readFile(file, 'utf8')));
    const body = parseOne(file ?? '-p', content ?? given ?? '');
    if ((type === 'json') !== Array.isArray(body))
      throw new UsageError('with --type json, and only then, the patch is a list of operations');
    const change = await openChanges(cli, { ...flags, done: 'patched' });
    for (const ref of await refsMeant(cli, words)) {
      const live = await cli.api.get(ref, subresource);
      // Of a defined kind's lists nobody knows how to merge them.
      const as = type ?? (kinds.includes(ref.kind) ? 'strategic' : 'merge');
      await change(ref, live, { body, as, subresource });
    }
  },
});
