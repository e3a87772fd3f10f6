import { createTwoFilesPatch, FILE_HEADERS_ONLY } from 'diff';
import { apiVersionOf } from '../../api/kind.ts';
import { isObject, own } from '../../api/normalize.ts';
import { Secret } from '../../api/secret.ts';
import type { Cli } from '../cli.ts';
import { defineVerb } from '../define-verb.ts';
import { type CheckedObject, changeOf } from '../manifest-check.ts';
import { comparable } from '../object-changes.ts';
import { paintOn } from '../print/colour.ts';
import { formatYaml } from '../print/object.ts';
import { checkFiles, manifestFlags } from './check-files.ts';

export const defineDiff = defineVerb({
  words: { '[words...]': '' },
  flags: manifestFlags,
  usage: '-f FILE [flags]',
  notes: '\nExit code: 0 nothing differs, 1 something does, 2 it failed.',
  failure: 2,
  async run(cli, words, flags) {
    const paint = paintOn(cli.io.stdout, cli.io);
    let differs = false;
    for (const one of await checkFiles(cli, words, flags)) {
      const lines = await diffOf(cli, one);
      differs ||= lines.length > 0;
      for (const line of lines)
        cli.out(/^[-+]/.test(line) ? paint(line.startsWith('+') ? 'good' : 'bad', line) : line);
    }
    return differs ? 1 : 0;
  },
});

/** Between the object as it is and as a server-side dry run leaves it. */
async function diffOf({ api }: Cli, one: CheckedObject) {
  const { ref } = one;
  const change = await changeOf(api, one);
  const after = comparable(change.after);
  const before = change.before && comparable(change.before);
  const mask = ref.kind === Secret ? withoutSecrets : (object: Fields) => object;
  const texts = [
    before ? formatYaml(mask(before, after, '(before)')) : '',
    formatYaml(mask(after, before, '(after)')),
  ] as const;
  if (texts[0] === texts[1]) return [];
  const title = [apiVersionOf(ref.kind).replace('/', '.'), ref.kind.kind, ref.namespace, ref.name];
  const file = title.filter(Boolean).join('.');
  const options = { context: 3, headerOptions: FILE_HEADERS_ONLY };
  const names = [`live/${file}`, `applied/${file}`] as const;
  const patch = createTwoFilesPatch(...names, ...texts, undefined, undefined, options);
  return patch.trimEnd().split('\n');
}

type Fields = Readonly<Record<string, unknown>>;

/** What a Secret holds is told only to be another one, as kubectl does. */
function withoutSecrets(secret: Fields, other: Fields | undefined, mark: string): Fields {
  const { data, stringData: _, metadata, ...rest } = secret;
  const others = isObject(other?.data) ? other.data : {};
  const masked = Object.entries(isObject(data) ? data : {}).map(([key, value]) => {
    const theirs = own(others, key);
    return [key, theirs === undefined || theirs === value ? '***' : `*** ${mark}`];
  });
  const { annotations: _a, ...safe } = isObject(metadata) ? metadata : {};
  return { ...rest, metadata: safe, data: Object.fromEntries(masked) };
}
