/**
 * `man-pages.ts DIRECTORY VERSION SECONDS`: writes orc(1), and a page of section 8 for each of orc's programs, from what
 * they declare about themselves. Dated so many seconds after 1970, so that two builds give the same bytes.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { globalFlags } from '../cli/cli.ts';
import { addFlags } from '../cli/define-verb.ts';
import { programCommand, verbCommand } from '../cli/verb-command.ts';
import { type VerbName, verbs } from '../cli/verbs.ts';
import { programs } from '../programs.ts';

const [directory = '.', version = '', seconds = '0'] = process.argv.slice(2);
const date = new Date(Number(seconds) * 1000).toISOString().slice(0, 10);

const pages = Object.keys(programs).map((name) => `\\fBorc\\-${name}\\fR(8)`);
const sections = await Promise.all((Object.keys(verbs) as VerbName[]).map(verbOf));
write('orc', 1, [
  ...nameSection('orc', 'containers on several hosts, as one'),
  ...['.SH SYNOPSIS', '.B orc', '.I VERB', '[flags] [words]'],
  ...['.SH FLAGS OF EVERY VERB', ...flagsOf(addFlags(new Command(), globalFlags))],
  ...['.SH VERBS', ...sections.flat()],
  ...[
    '.SH EXIT STATUS',
    '0: done; 1: failed; 2: wrong usage. \\fBexec\\fR and \\fBrun\\fR: of the program. \\fBdiff\\fR:',
    '0: nothing differs; 1: something does; 2: failed. \\fBauth can\\-i\\fR: 0: yes; 1: no.',
  ],
  ...['.SH ENVIRONMENT', '.TP', '.B KUBECONFIG', 'files that say how to reach the controller.'],
  ...['.TP', '.B NO_COLOR', 'not empty: without colours.'],
  ...['.SH FILES', '.TP', '.I /etc/orc/admin.kubeconfig', 'is used unless something else is said;'],
  ...['.TP', '.I ~/.kube/config', 'if the former is not there.'],
  ...['.SH SEE ALSO', pages.join(', ')],
]);

for (const [name, program] of Object.entries(programs)) {
  const command = await programCommand(name, program);
  write(`orc-${name}`, 8, [
    ...nameSection(`orc-${name}`, program.about),
    ...['.SH SYNOPSIS', usageOf(command)],
    ...['.SH FLAGS', ...flagsOf(command)],
    ...['.SH FILES', '.TP', '.I /etc/orc/controller.yaml', '.TQ', '.I /etc/orc/agent.yaml'],
    'hold flags of these roles as keys, without the dashes; \\fBorc config check\\fR checks them.',
    ...['.SH SEE ALSO', ['\\fBorc\\fR(1)', ...pages].join(', ')],
  ]);
}

function write(name: string, section: number, lines: readonly string[]): void {
  const head = `.TH ${name.toUpperCase().replace('-', '\\-')} ${section} ${date} "orc ${version}" orc`;
  mkdirSync(join(directory, `man${section}`), { recursive: true });
  const path = join(directory, `man${section}/${name}.${section}`);
  writeFileSync(path, `${[head, ...lines].join('\n')}\n`);
}

function nameSection(name: string, about: string): readonly string[] {
  return ['.SH NAME', `${text(name)} \\- ${text(about)}`];
}

async function verbOf(name: VerbName): Promise<readonly string[]> {
  const { about, examples } = verbs[name];
  const command = await verbCommand(name);
  return [
    ...[`.SS ${name}`, `${text(about)}.`, '.PP', usageOf(command)],
    ...['.PP', '.nf', '.RS', ...examples.map(text), '.RE', '.fi'],
    ...flagsOf(command, globalFlags),
  ];
}

/** Bold as far as it is typed so. */
function usageOf(command: Command): string {
  const words = command.createHelp().commandUsage(command).split(' ');
  return words
    .map((word) => (/^[\w-]/.test(word) ? `\\fB${text(word)}\\fR` : text(word)))
    .join(' ');
}

function flagsOf(command: Command, besides: object = {}): readonly string[] {
  const help = command.helpOption(false).createHelp();
  return help
    .visibleOptions(command)
    .filter((one) => !(one.attributeName() in besides))
    .flatMap((one) => [
      '.TP',
      `.B ${text(help.optionTerm(one))}`,
      text(help.optionDescription(one)),
    ]);
}

/** Nothing in it is a request or an escape to roff. */
function text(plain: string): string {
  return plain
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replace(/^(?=[.'])/, '\\&');
}
