/** The executable: picks the role and imports only that role's main. */
import { flushCompileCache } from 'node:module';
import { programs } from './programs.ts';

process.exitCode = await run(process.argv.slice(2));

async function run(argv: readonly string[]): Promise<number> {
  const [verb = '', ...rest] = argv;
  const [about = ''] = rest;
  if (verb === 'help' && Object.hasOwn(programs, about)) return run([about, '--help']);
  if (verb === '__complete') {
    const { runComplete } = await import('./cli/complete.ts');
    return runComplete(rest, programs);
  }
  const program = Object.hasOwn(programs, verb) ? programs[verb] : undefined;
  if (program === undefined) {
    const { runCli } = await import('./cli/main.ts');
    return runCli(argv, programs);
  }
  const runProgram = await program.load();
  // A role that is killed never writes its compile cache at exit: so it is written once all is loaded.
  flushCompileCache();
  return runProgram(rest);
}
