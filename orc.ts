/** The executable: picks the role and imports only that role's main. */
import { flushCompileCache } from 'node:module';
import { programs } from './programs.ts';

const [verb = '', ...rest] = process.argv.slice(2);

// A role that is killed never writes its compile cache at exit: so it is written once all is loaded.
switch (verb) {
  case 'controller': {
    const { runController } = await import('./controller/main.ts');
    flushCompileCache();
    process.exitCode = await runController(rest);
    break;
  }
  case 'agent': {
    const { runAgent } = await import('./agent/main.ts');
    flushCompileCache();
    process.exitCode = await runAgent(rest);
    break;
  }
  case 'config': {
    const { runConfigCommand } = await import('./cli/config-command.ts');
    process.exitCode = await runConfigCommand(rest, {
      controller: async () => (await import('./controller/config.ts')).readControllerConfig,
      agent: async () => (await import('./agent/config.ts')).readAgentConfig,
    });
    break;
  }
  case 'store': {
    const { runStoreCommand } = await import('./controller/store-command.ts');
    process.exitCode = await runStoreCommand(rest);
    break;
  }
  case 'restore': {
    const { runRestore } = await import('./controller/restore-command.ts');
    process.exitCode = await runRestore(rest);
    break;
  }
  case 'doctor': {
    const { runDoctor } = await import('./agent/doctor-command.ts');
    process.exitCode = await runDoctor(rest);
    break;
  }
  case 'dev': {
    const { runDev } = await import('./dev/main.ts');
    process.exitCode = await runDev(rest);
    break;
  }
  case '__complete': {
    const { runComplete } = await import('./cli/complete.ts');
    process.exitCode = await runComplete(rest, programs);
    break;
  }
  default: {
    const { runCli } = await import('./cli/main.ts');
    process.exitCode = await runCli(
      [verb, ...rest].filter((word) => word !== ''),
      programs,
    );
  }
}
