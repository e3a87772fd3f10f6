import { existsSync } from 'node:fs';
import { basename } from 'node:path';
import { errorChain } from '../base/error-chain.ts';

const help = `orc config check [FILE…]: whether a role could start with these files

  orc config check                      those in /etc/orc
  orc config check ./controller.yaml    the name says whose it is`;

/** What checks a role's command line, by the role: throws UsageError. */
type Readers = Readonly<Record<string, () => Promise<(argv: readonly string[]) => unknown>>>;

/** `orc config check`. Gives the exit code: 1 with findings, each on a line of standard error. */
export async function runConfigCommand([verb, ...words]: readonly string[], readers: Readers) {
  if (verb !== 'check' || words.some((word) => word.startsWith('-'))) {
    console.log(help);
    return verb === '--help' || words.includes('--help') ? 0 : 2;
  }
  const usual = Object.keys(readers).map((role) => `/etc/orc/${role}.yaml`);
  const files = words.length > 0 ? words : usual.filter((path) => existsSync(path));
  if (files.length === 0) console.log(`nothing to check: there is no ${usual.join(' nor ')}`);
  const sound = [];
  for (const file of files) sound.push(await check(file, readers));
  return sound.every(Boolean) ? 0 : 1;
}

async function check(file: string, readers: Readers): Promise<boolean> {
  try {
    const role = Object.keys(readers).find((name) => basename(file).includes(name));
    const read = await readers[role ?? '']?.();
    if (read === undefined) {
      const names = Object.keys(readers).join(' or ');
      console.error(`${file}  whose is it? ${names} must be in its name`);
      return false;
    }
    read(['--config', file]);
    console.log(`${file}  ok`);
    return true;
  } catch (error) {
    console.error(errorChain(error));
    return false;
  }
}
