import type { Programs } from './cli/verb-command.ts';

/** What `orc` does besides its verbs, each with its flags: for completion and the manual. orc.ts runs them. */
export const programs: Programs = {
  controller: {
    about: 'keeps what should be, and makes it so',
    flags: async () => (await import('./controller/config.ts')).controllerFlags,
  },
  agent: {
    about: 'runs on each node what the controller assigns to it',
    argument: ['[join]', 'join'],
    flags: async () => (await import('./agent/config.ts')).agentFlags,
  },
  dev: {
    about: 'a real cluster of several hosts on this machine',
    flags: async () => (await import('./dev/config.ts')).devFlags,
  },
  config: {
    about: 'says where a configuration file of controller or agent is wrong',
    argument: ['<verb>', 'check'],
    flags: async () => ({}),
  },
  store: {
    about: 'moves a stopped controller’s store to an empty one',
    argument: ['<verb>', 'migrate'],
    flags: async () => (await import('./controller/store-command.ts')).storeFlags,
  },
  doctor: {
    about: 'says what this host lacks, and how to mend it',
    flags: async () => (await import('./agent/doctor-command.ts')).doctorFlags,
  },
  restore: {
    about: 'puts what orc backup saved into an empty store',
    argument: ['<file>', 'of orc backup'],
    flags: async () => (await import('./controller/config.ts')).controllerFlags,
  },
};
