import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { text as readText } from 'node:stream/consumers';
import { formatSince } from '../../api/format-age.ts';
import { type ImageDetails, type NodeImage, shortDigest } from '../../api/node-images.ts';
import { about } from '../../base/error-chain.ts';
import { on, text, UsageError, type ValuesOf } from '../../base/flags.ts';
import type { Cli } from '../cli.ts';
import { defineVerb, stepOf } from '../define-verb.ts';
import { askAgent } from '../image-client.ts';
import { printable } from '../print/colour.ts';
import { printTable } from '../print/table.ts';
import { formatBytes, openTransfers } from '../print/transfers.ts';
import { saveWhole } from '../save-whole.ts';

const imageFlags = {
  socket: text('path', 'of the agent', '/run/orc/images.sock'),
  user: text('name', 'pull, push, verify: at the registry').short('u'),
  'password-stdin': on('pull, push, verify: the password is on standard input'),
  pin: on('pull: keep it until somebody removes it with --force'),
  output: text('file', 'wide, name or json; of export: a file, or - (the default)').short('o'),
  name: text('ref', 'import: what to call the only image of the archive'),
  all: on('prune: not only those without a name, but all that nothing here needs'),
  force: on('rm: pinned ones, too'),
  key: text('file', 'verify: ask this public key, not the node’s policy'),
  repair: on('check: what is wrong is fetched and unpacked anew'),
};

type ImageFlags = ValuesOf<typeof imageFlags>;

export const defineImage = defineVerb({
  words: {
    '<verb>': 'pull, ls, inspect, history, rm, prune, import, export, push, verify or check',
    '[image...]': 'NAME[:TAG][@DIGEST], or the first digits of an id; import: a file, or -',
  },
  flags: imageFlags,
  async run(cli, [verb = '', ...words], flags) {
    const step = stepOf('image', steps, verb);
    checkUse(step, { verb, words, flags });
    await step.run({ cli, verb, words, flags });
  },
});

interface Step {
  /** How many words, at least and at most. */
  readonly takes: readonly [number, number];
  /** Those of the flags that mean something. */
  readonly flags: readonly (keyof ImageFlags)[];
  run(use: Use): Promise<unknown>;
}

type Use = Readonly<{ cli: Cli; verb: string; words: readonly string[]; flags: ImageFlags }>;

const any = Number.POSITIVE_INFINITY;

const steps: Readonly<Record<string, Step>> = {
  pull: { takes: [1, 1], flags: ['pin', 'user', 'passwordStdin'], run: ask },
  ls: { takes: [0, 0], flags: ['output'], run: ls },
  inspect: { takes: [1, 1], flags: [], run: inspect },
  history: { takes: [1, 1], flags: [], run: history },
  rm: { takes: [1, any], flags: ['force'], run: ask },
  prune: { takes: [0, 0], flags: ['all'], run: ask },
  import: { takes: [1, 1], flags: ['name'], run: importArchive },
  export: { takes: [1, any], flags: ['output'], run: exportArchive },
  push: { takes: [1, 2], flags: ['user', 'passwordStdin'], run: ask },
  verify: { takes: [1, 1], flags: ['key', 'user', 'passwordStdin'], run: ask },
  check: { takes: [0, 0], flags: ['repair'], run: ask },
};

function checkUse({ takes, flags: known }: Step, { verb, words, flags }: Omit<Use, 'cli'>): void {
  const [least, most] = takes;
  if (words.length < least) throw new UsageError(`orc image ${verb}: of which image?`);
  if (words.length > most)
    throw new UsageError(`orc image ${verb} has no use for "${words[most]}"`);
  for (const [name, value] of Object.entries(flags))
    if (value && name !== 'socket' && !known.includes(name as keyof ImageFlags)) {
      const written = name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
      throw new UsageError(`orc image ${verb} has no use for --${written}`);
    }
}

/** Has the agent do it, and shows what it says meanwhile. */
async function ask({ cli, verb, words, flags }: Use, archive?: Readable): Promise<unknown> {
  const { socket, output: _, key: file, user, passwordStdin, ...more } = flags;
  if (passwordStdin && user === undefined) throw new UsageError('--password-stdin needs --user');
  const password = passwordStdin ? (await readText(cli.io.stdin)).replace(/\r?\n$/, '') : undefined;
  const key = file && (await about(`${file} can't be read`, readFile(file, 'utf8')));
  const asked = { words, ...more, user, password, key };
  const transfers = openTransfers(cli.io, verb === 'push' ? 'waiting' : 'unpacking');
  return askAgent({ socket, verb, asked, archive }, (line) => {
    if ('transfers' in line) return transfers.update(line.transfers);
    transfers.settle();
    cli.out(printable(line.note));
  });
}

async function ls(use: Use): Promise<void> {
  const { out } = use.cli;
  const { output = '' } = use.flags;
  if (!['', 'wide', 'name', 'json'].includes(output))
    throw new UsageError(`--output must be one of wide, name, json, not ${output}`);
  const images = (await ask(use)) as readonly NodeImage[];
  const named = images
    .flatMap((image) =>
      (image.names.length > 0 ? image.names : ['']).map((name) => ({ ...image, name })),
    )
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));
  if (output === 'json') return out(JSON.stringify(images, null, 2));
  if (output === 'name') {
    for (const { name, id } of named) out(name || id);
    return;
  }
  const headers = ['REPOSITORY', 'TAG', 'IMAGE ID', 'SIZE', 'PINNED', 'BLOBS', 'DIGEST'];
  const columns = output === 'wide' ? headers.length : 5;
  const rows = named.map(({ name, id, digest, sizeBytes, blobBytes, isPinned }) => {
    const [, repository = '<none>', tag = '<none>'] = /^(.+?)(?:@.*|:([^:/]+))?$/.exec(name) ?? [];
    const size = [formatBytes(sizeBytes), isPinned ? 'yes' : '', formatBytes(blobBytes)];
    return [repository, tag, shortDigest(id), ...size, digest].slice(0, columns);
  });
  printTable(use.cli, { headers: headers.slice(0, columns), rows });
}

async function inspect(use: Use): Promise<void> {
  use.cli.out(JSON.stringify(await ask(use), null, 2));
}

/** As docker shows it, the latest step first; sizes are those of the compressed layers. */
async function history({ cli, ...use }: Use): Promise<void> {
  const details = (await ask({ ...use, cli, verb: 'inspect' })) as ImageDetails;
  const rows = historyOf(details, cli.io.clock.now()).toReversed();
  printTable(cli, { headers: ['CREATED', 'CREATED BY', 'SIZE'], rows });
}

/** Pure. */
function historyOf({ manifest, config }: ImageDetails, now: number) {
  const layers = [...((manifest?.layers ?? []) as readonly { readonly size: number }[])];
  const told: unknown = config?.history;
  const steps: readonly Readonly<Record<string, unknown>>[] = Array.isArray(told)
    ? told
    : layers.map(() => ({}));
  return steps.map(({ created, created_by: by = '', empty_layer: isEmpty }) => {
    const time = typeof created === 'string' && Date.parse(created) > 0 ? created : undefined;
    const bytes = isEmpty ? 0 : (layers.shift()?.size ?? 0);
    return [formatSince(time, now), String(by), formatBytes(bytes)];
  });
}

async function importArchive(use: Use): Promise<void> {
  const [file = ''] = use.words;
  const archive = file === '-' ? use.cli.io.stdin : createReadStream(file);
  if (file !== '-') await about(`${file} can't be read`, once(archive, 'open'));
  await ask(use, archive);
}

async function exportArchive(use: Use): Promise<void> {
  const { output: file = '-' } = use.flags;
  const { stdout } = use.cli.io;
  if (file === '-' && stdout.isTTY)
    throw new UsageError('an archive is nothing for a terminal: give --output FILE');
  const archive = (await ask(use)) as Readable;
  if (file !== '-') return saveWhole(file, archive, 'the archive');
  for await (const chunk of archive)
    if (!stdout.write(chunk)) await new Promise<void>((resolve) => stdout.once('drain', resolve));
}
