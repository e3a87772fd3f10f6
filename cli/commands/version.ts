import { on } from '../../base/flags.ts';
import packageJson from '../../package.json' with { type: 'json' };
import { defineVerb } from '../define-verb.ts';

export const defineVersion = defineVerb({
  flags: { client: on('without asking the controller') },
  async run(cli, _, { client }) {
    cli.out(`orc ${packageJson.version}`);
    if (client) return;
    const { body } = await cli.api.send<{ major: string; minor: string }>({ path: '/version' });
    const { server } = (await cli.api.connected()).connection;
    cli.out(`controller at ${server}, Kubernetes API ${body.major}.${body.minor}`);
  },
});
