/** The executable: picks the role and imports only that role's main. */
import { enableCompileCache, flushCompileCache } from 'node:module';
import { join } from 'node:path';

// In the checkout, like its other caches: what root executes must not come from a directory that anyone may write to.
enableCompileCache(join(import.meta.dirname, '.cache/compile'));

const [verb = '', ...rest] = process.argv.slice(2);

// A role that is killed never writes its cache at exit: so it is written once all is loaded.
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
