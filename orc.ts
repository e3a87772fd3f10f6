/** The executable: picks the role and imports only that role's main. */
import { enableCompileCache } from 'node:module';

enableCompileCache();

const [verb = '', ...rest] = process.argv.slice(2);

switch (verb) {
  case 'controller': {
    const { runController } = await import('./controller/main.ts');
    process.exitCode = await runController(rest);
    break;
  }
  case 'agent': {
    const { runAgent } = await import('./agent/main.ts');
    process.exitCode = await runAgent(rest);
    break;
  }
  case 'dev': {
    const { runDev } = await import('./dev/main.ts');
    process.exitCode = await runDev(rest);
    break;
  }
  default: {
    const { runCli } = await import('./cli/main.ts');
    process.exitCode = await runCli([verb, ...rest].filter((word) => word !== ''));
  }
}
