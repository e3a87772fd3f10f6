import type { Program } from './cli/verb-command.ts';

/** Runs with the words behind its name; gives the exit code. */
type Run = (argv: readonly string[]) => Promise<number>;

/** What `orc` does besides its verbs, each with its flags (for completion and the manual). Only the one asked for is loaded. */
export const programs: Readonly<Record<string, Program & { load(): Promise<Run> }>> = {
  controller: {
    about: 'keeps what should be, and makes it so',
    flags: async () => (await import('./controller/config.ts')).controllerFlags,
    load: async () => (await import('./controller/main.ts')).runController,
  },
  agent: {
    about: 'runs on each node what the controller assigns to it',
    argument: ['[join]', 'join'],
    flags: async () => (await import('./agent/config.ts')).agentFlags,
    load: async () => (await import('./agent/main.ts')).runAgent,
  },
  dev: {
    about: 'a real cluster of several hosts on this machine',
    flags: async () => (await import('./dev/config.ts')).devFlags,
    load: async () => (await import('./dev/main.ts')).runDev,
  },
  config: {
    about: 'says where a configuration file of controller or agent is wrong',
    argument: ['<verb>', 'check'],
    flags: async () => ({}),
    load: async () => {
      const { runConfigCommand } = await import('./cli/config-command.ts');
      return (argv) => runConfigCommand(argv, configReaders);
    },
  },
  store: {
    about: 'moves a stopped controller’s store to an empty one',
    argument: ['<verb>', 'migrate'],
    flags: async () => (await import('./controller/store-command.ts')).storeFlags,
    load: async () => (await import('./controller/store-command.ts')).runStoreCommand,
  },
  doctor: {
    about: 'says what this host lacks, and how to mend it',
    flags: async () => (await import('./agent/doctor-command.ts')).doctorFlags,
    load: async () => (await import('./agent/doctor-command.ts')).runDoctor,
  },
  restore: {
    about: 'puts what orc backup saved into an empty store',
    argument: ['<file>', 'of orc backup'],
    flags: async () => (await import('./controller/config.ts')).controllerFlags,
    load: async () => (await import('./controller/restore-command.ts')).runRestore,
  },
};

const configReaders = {
  controller: async () => (await import('./controller/config.ts')).readControllerConfig,
  agent: async () => (await import('./agent/config.ts')).readAgentConfig,
};
