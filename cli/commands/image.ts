import { once } from 'node:events';
import { createReadStream, createWriteStream } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { text as readText } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { formatSince } from '../../api/format-age.ts';
import type { ImageDetails, ImageRequest, NodeImage } from '../../api/node-images.ts';
import { didYouMean } from '../../base/closest.ts';
import { about } from '../../base/error-chain.ts';
import { on, text, UsageError, type ValuesOf } from '../../base/flags.ts';
import type { Cli } from '../cli.ts';
import { CliError } from '../cli-error.ts';
import { defineVerb } from '../define-verb.ts';
import { askAgent } from '../image-client.ts';
import { printTable } from '../print/table.ts';
import { formatBytes, openTransfers, shortDigest } from '../print/transfers.ts';

const imageFlags = {
  socket: text('path', 'of the agent: its --run-dir, and images.sock', '/run/orc/images.sock'),
  user: text('name', 'pull and push: at the registry').short('u'),
  'password-stdin': on('pull and push: the password is on standard input'),
  pin: on('pull: keep it until somebody removes it with --force'),
  output: text('format', 'wide, name or json; of export: a file, or - (the default)').short('o'),
  name: text('ref', 'import: what to call the only image of the archive'),
  all: on('prune: not only those without a name, but all that nothing here needs'),
  force: on('rm: pinned ones, too'),
  repair: on('check: what is wrong is fetched and unpacked anew'),
};

type ImageFlags = ValuesOf<typeof imageFlags>;

const notes = `
Images of this machine's agent; as root. Verbs and what they take:

  pull REF              ls                    export REF|ID... [-o FILE]
  push REF|ID [DEST]    inspect REF|ID        import FILE|-
  rm REF|ID...          history REF|ID        prune
  check`;

export const defineImage = defineVerb({
  words: {
    '<verb>': 'pull, ls, inspect, history, rm, prune, import, export, push or check',
    '[image...]': 'REF: NAME[:TAG][@DIGEST]; ID: its first digits; see below',
  },
  flags: imageFlags,
  notes,
  async run(cli, [verb = '', ...words], flags) {
    const step = Object.hasOwn(steps, verb) ? steps[verb] : undefined;
    if (step === undefined) {
      const known = Object.keys(steps);
      const hint = didYouMean(verb, known, known.join(', '));
      throw new UsageError(`orc image has no "${verb}"; ${hint}`);
    }
    const use = { verb, words, flags };
    checkUse(use, step);
    await step.run(cli, use);
  },
});

interface Step {
  /** How many words, at least and at most. */
  readonly takes: readonly [number, number];
  /** Those of the flags that mean something. */
  readonly flags: readonly (keyof ImageFlags)[];
  run(cli: Cli, use: Use): Promise<void>;
}

interface Use {
  readonly verb: string;
  readonly words: readonly string[];
  readonly flags: ImageFlags;
}

const any = Number.POSITIVE_INFINITY;
const login = ['user', 'passwordStdin'] as const;

const steps: Readonly<Record<string, Step>> = {
  pull: { takes: [1, 1], flags: ['pin', ...login], run: transfer },
  ls: { takes: [0, 0], flags: ['output'], run: ls },
  inspect: { takes: [1, 1], flags: [], run: inspect },
  history: { takes: [1, 1], flags: [], run: history },
  rm: { takes: [1, any], flags: ['force'], run: transfer },
  prune: { takes: [0, 0], flags: ['all'], run: prune },
  import: { takes: [1, 1], flags: ['name'], run: importArchive },
  export: { takes: [1, any], flags: ['output'], run: exportArchive },
  push: { takes: [1, 2], flags: [...login], run: transfer },
  check: { takes: [0, 0], flags: ['repair'], run: transfer },
};

function checkUse({ verb, words, flags }: Use, { takes: [least, most], flags: known }: Step) {
  const [first] = Object.entries(flags)
    .filter(([name, value]) => name !== 'socket' && value !== undefined && value !== false)
    .map(([name]) => name as keyof ImageFlags)
    .filter((name) => !known.includes(name));
  if (first !== undefined) {
    const name = first.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    throw new UsageError(`--${name} means nothing to orc image ${verb}`);
  }
  if (words.length < least) throw new UsageError(`orc image ${verb}: of which image?`);
  if (words.length > most)
    throw new UsageError(`orc image ${verb}: "${words[most]}" is a word too many`);
}

/** Has the agent do it, and shows what it says meanwhile. */
async function ask(cli: Cli, { verb, words, flags }: Use, archive?: Readable): Promise<unknown> {
  const { socket, output: _, user, passwordStdin, ...others } = flags;
  if (passwordStdin && user === undefined) throw new UsageError('--password-stdin needs --user');
  const password = passwordStdin ? (await readText(cli.io.stdin)).replace(/\r?\n$/, '') : undefined;
  const asked: ImageRequest = { words, ...others, user, password };
  const transfers = openTransfers(cli.io, verb === 'push' ? 'waiting' : 'unpacking');
  const question = { socket, verb, asked, archive };
  return askAgent(question, (line) => {
    if ('transfers' in line) return transfers.update(line.transfers);
    transfers.settle();
    cli.out(line.note);
  });
}

async function transfer(cli: Cli, use: Use): Promise<void> {
  await ask(cli, use);
}

async function ls(cli: Cli, use: Use): Promise<void> {
  const { output = '' } = use.flags;
  if (!['', 'wide', 'name', 'json'].includes(output))
    throw new UsageError(`--output must be one of wide, name, json, not ${output}`);
  const images = (await ask(cli, use)) as readonly NodeImage[];
  if (output === 'json') return cli.out(JSON.stringify(images, null, 2));
  const named = images.flatMap((image) =>
    (image.names.length > 0 ? image.names : ['']).map((name) => ({ ...image, name })),
  );
  if (output === 'name') {
    for (const { name, id } of named) cli.out(name || id);
    return;
  }
  const isWide = output === 'wide';
  const headers = ['REPOSITORY', 'TAG', 'IMAGE ID', 'SIZE', 'PINNED'];
  const rows = named
    .toSorted((a, b) => a.name.localeCompare(b.name))
    .map(({ name, id, digest, sizeBytes, blobBytes, isPinned }) => {
      const [, repository = '<none>', tag = '<none>'] =
        /^(.+?)(?:@.*|:([^:/]+))?$/.exec(name) ?? [];
      const cells = [
        repository,
        tag,
        shortDigest(id),
        formatBytes(sizeBytes),
        isPinned ? 'yes' : '',
      ];
      return isWide ? [...cells, formatBytes(blobBytes), digest] : cells;
    });
  printTable(cli, { headers: isWide ? [...headers, 'BLOBS', 'DIGEST'] : headers, rows });
}

async function inspect(cli: Cli, use: Use): Promise<void> {
  cli.out(JSON.stringify(await ask(cli, use), null, 2));
}

/** As docker shows it, the latest step first; sizes are those of the compressed layers. */
async function history(cli: Cli, use: Use): Promise<void> {
  const details = (await ask(cli, { ...use, verb: 'inspect' })) as ImageDetails;
  const rows = historyOf(details).map(({ created, by, bytes }) => [
    formatSince(created, cli.io.clock.now()),
    by,
    formatBytes(bytes ?? 0),
  ]);
  printTable(cli, { headers: ['CREATED', 'CREATED BY', 'SIZE'], rows: rows.toReversed() });
}

interface HistoryStep {
  readonly created?: unknown;
  readonly created_by?: unknown;
  readonly empty_layer?: unknown;
}

/** Whoever built the image has written all of this, control characters perhaps. Pure. */
function historyOf({ manifest, config }: ImageDetails) {
  const layers = (manifest?.layers ?? []) as readonly { readonly size: number }[];
  const steps: readonly HistoryStep[] = Array.isArray(config?.history) ? config.history : [];
  let next = 0;
  const told = steps.map(({ created, created_by: by = '', empty_layer: isEmpty = false }) => ({
    created: Number.isNaN(Date.parse(String(created))) ? undefined : String(created),
    by: String(by).replace(/[\s\p{Cc}]+/gu, ' '),
    bytes: isEmpty ? 0 : layers[next++]?.size,
  }));
  const untold = layers
    .slice(next)
    .map(({ size }) => ({ created: undefined, by: '', bytes: size }));
  return [...told, ...untold];
}

async function prune(cli: Cli, use: Use): Promise<void> {
  const { freedBytes } = (await ask(cli, use)) as { readonly freedBytes: number };
  cli.out(`${formatBytes(freedBytes)} freed`);
}

async function importArchive(cli: Cli, use: Use): Promise<void> {
  const [file = '-'] = use.words;
  const archive = file === '-' ? cli.io.stdin : createReadStream(file);
  if (file !== '-') await about(`${file} can't be read`, once(archive, 'open'));
  await ask(cli, use, archive);
}

/** What is there is replaced, once the new one is whole. */
async function exportArchive(cli: Cli, use: Use): Promise<void> {
  const { output: file = '-' } = use.flags;
  const { stdout } = cli.io;
  if (file === '-' && stdout.isTTY)
    throw new UsageError('an archive is nothing for a terminal: give --output FILE');
  const archive = await ask(cli, use);
  if (!(archive instanceof Readable)) throw new CliError('the agent sent no archive');
  if (file === '-') {
    for await (const chunk of archive)
      if (!stdout.write(chunk)) await new Promise<void>((resolve) => stdout.once('drain', resolve));
    return;
  }
  const unfinished = `${file}.unfinished`;
  try {
    const target = createWriteStream(unfinished, { mode: 0o600, flush: true });
    await about('the archive did not become whole', pipeline(archive, target));
    await rename(unfinished, file);
  } finally {
    await rm(unfinished, { force: true });
  }
}
