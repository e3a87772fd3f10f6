import { errorChain } from './error-chain.ts';
import { UsageError } from './flags.ts';

export interface Command {
  /** "orc agent" */
  readonly name: string;
  readonly help: string;
  readonly argv: readonly string[];
}

/** Gives the exit code: the work's own, else 0; 1 if it failed, 2 if it was called wrongly. Or the help is asked for. */
export async function runCommand({ name, help, argv }: Command, work: () => Promise<unknown>) {
  if (argv.includes('--help') || argv.includes('-h')) {
    console.log(help);
    return 0;
  }
  try {
    const code = await work();
    return typeof code === 'number' ? code : 0;
  } catch (error) {
    console.error(`${name}: ${errorChain(error)}`);
    return error instanceof UsageError ? 2 : 1;
  }
}
