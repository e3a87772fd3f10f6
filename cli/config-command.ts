import { existsSync } from 'node:fs';
import { basename } from 'node:path';
import { errorChain } from '../base/error-chain.ts';

const help = `orc config check [FILE…]: whether a role could start with these files

  orc config check                      those in /etc/orc
  orc config check ./controller.yaml    the name says whose it is`;

/** What checks a role's command line: throws UsageError. */
export type ReadConfig = (argv: readonly string[]) => unknown;

/** `orc config check`. Gives the exit code: 1 with findings, each on a line of standard error. */
export async function runConfigCommand(
  [verb, ...words]: readonly string[],
  readers: Readonly<Record<string, () => Promise<ReadConfig>>>,
): Promise<number> {
  if (verb !== 'check' || words.some((word) => word.startsWith('-'))) {
    console.log(help);
    return verb === '--help' || words.includes('--help') ? 0 : 2;
  }
  const usual = Object.keys(readers).map((role) => `/etc/orc/${role}.yaml`);
  const files = words.length > 0 ? words : usual.filter((path) => existsSync(path));
  if (files.length === 0) console.log(`nothing to check: there is no ${usual.join(' nor ')}`);
  const sound = [];
  for (const file of files) {
    const role = Object.keys(readers).find((name) => basename(file).includes(name));
    sound.push(role === undefined ? nobodys(file, readers) : await check(file, readers[role]));
  }
  return sound.every(Boolean) ? 0 : 1;
}

function nobodys(file: string, readers: object): false {
  const names = Object.keys(readers).join(' or ');
  console.error(`${file}  whose is it? ${names} must be in its name`);
  return false;
}

async function check(file: string, load?: () => Promise<ReadConfig>): Promise<boolean> {
  try {
    (await load?.())?.(['--config', file]);
    console.log(`${file}  ok`);
    return true;
  } catch (error) {
    console.error(errorChain(error));
    return false;
  }
}
