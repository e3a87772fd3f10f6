import { spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createPatch, createTests } from 'rfc6902';
import type { AnyObject } from '../../api/kind.ts';
import { StatusError } from '../../api/status.ts';
import { about } from '../../base/error-chain.ts';
import type { Cli } from '../cli.ts';
import { AlreadyTold, CliError } from '../cli-error.ts';
import { defineVerb } from '../define-verb.ts';
import { titleOf } from '../kind-lookup.ts';
import { type Finding, type ManifestObject, parseManifest } from '../manifest.ts';
import { findingsOf } from '../manifest-check.ts';
import { comparable } from '../object-changes.ts';
import { formatYaml } from '../print/object.ts';
import type { ObjectRef } from '../resources.ts';
import { refsMeant } from '../targets.ts';

export const defineEdit = defineVerb({
  words: { '<what...>': 'deploy/web · deploy web api, one after the other' },
  notes: '\nThe editor is the one that KUBE_EDITOR or EDITOR names, or vi.',
  async run(cli, words) {
    for (const ref of await refsMeant(cli, words)) await edit(cli, ref);
  },
});

/** Again and again until the server takes it. Throws AlreadyTold when the user gives up; the text is kept then. */
async function edit(cli: Cli, ref: ObjectRef): Promise<void> {
  const original = editable(await cli.api.get(ref));
  const dir = await mkdtemp(join(tmpdir(), 'orc-edit-'));
  const file = join(dir, `${ref.name}.yaml`);
  let text = formatYaml(original);
  let findings: readonly Finding[] = [];
  for (;;) {
    const edited = await editText(cli, file, { head: headOf(ref, findings), text });
    const isAsBefore = edited === text || edited.trim() === '';
    if (isAsBefore && findings.length > 0) {
      cli.err(`orc: ${titleOf(ref)} was not changed; what you wrote is in ${file}`);
      throw new AlreadyTold(1);
    }
    const kept = `what you wrote is in ${file}`;
    const outcome = isAsBefore
      ? 'unchanged'
      : await about(kept, tryChange(cli, { ref, original, file, edited }));
    if (typeof outcome === 'string') {
      await rm(dir, { recursive: true });
      return cli.out(`${titleOf(ref)} ${outcome}`);
    }
    [text, findings] = [edited, outcome];
  }
}

/** Without what only the server writes. */
function editable(object: AnyObject): unknown {
  const { status: _s, ...rest } = comparable(object);
  const { uid: _u, creationTimestamp: _c, ...metadata } = rest.metadata;
  return { ...rest, metadata };
}

interface Text {
  /** Comments, above it. */
  readonly head: string;
  readonly text: string;
}

/** Gives what the user has left of it, without comments at its head. */
async function editText({ io }: Cli, file: string, { head, text }: Text): Promise<string> {
  await writeFile(file, head + text, { mode: 0o600 });
  const [program = '', ...args] = io.environment.editor;
  const { status, signal, error } = spawnSync(program, [...args, file], { stdio: 'inherit' });
  if (error)
    throw new CliError(`no editor ${program} can be started: EDITOR names one`, { cause: error });
  if (status !== 0)
    throw new CliError(`the editor ended with ${signal ?? status}; what you wrote is in ${file}`);
  return (await readFile(file, 'utf8')).replace(/^(#.*\n)+/, '');
}

/** What is wrong, by the lines of the file that is about to be opened. */
function headOf(ref: ObjectRef, findings: readonly Finding[]): string {
  const intro = `# ${titleOf(ref)}: save it and leave the editor to change it.\n`;
  const wrong = findings.map(({ message, position: { line, column } }) => {
    const place = `${line + findings.length + 2}:${column}`;
    return `#   ${place}  ${message.replaceAll('\n', ' ')}\n`;
  });
  return [intro, ...(wrong.length > 0 ? ['# It was not changed:\n'] : []), ...wrong].join('');
}

type Edited = Readonly<{ ref: ObjectRef; original: unknown; file: string; edited: string }>;

/** As a JSON patch that tests what it changes: nobody else's change gets lost. Gives the outcome, or what is wrong. */
async function tryChange({ api }: Cli, { ref, original, file, edited }: Edited) {
  const { objects, findings } = parseManifest(file, edited);
  const [written, ...others] = objects;
  if (findings.length > 0) return findings;
  if (written === undefined || others.length > 0)
    return [{ file, position: { line: 1, column: 1 }, subject: '', message: 'is not one object' }];
  const operations = createPatch(original, written.body);
  if (operations.length === 0) return 'unchanged';
  const body = [...createTests(original, operations), ...operations];
  return api.patch(ref, { body, as: 'json' }).then(() => 'edited', wrongIn(ref, written));
}

const wrongIn = (ref: ObjectRef, written: ManifestObject) => (error: unknown) => {
  if (!(error instanceof StatusError)) throw error;
  return findingsOf(error, { ref, body: written.body, written }).map((one) => ({
    ...one,
    message: one.message.replace(/^.*\(test (\S+)\).*$/s, 'somebody else has changed $1 meanwhile'),
  }));
};
