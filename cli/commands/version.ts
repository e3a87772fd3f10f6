import { on } from '../../base/flags.ts';
import packageJson from '../../package.json' with { type: 'json' };
import { defineVerb } from '../define-verb.ts';

export const defineVersion = defineVerb({
  flags: { client: on('without asking the controller') },
  async run(cli, _, { client: clientOnly }) {
    cli.out(`orc ${packageJson.version}`);
    if (clientOnly) return 0;
    const client = await cli.client();
    const { body } = await client.send<{ major: string; minor: string }>({ path: '/version' });
    const { server } = client.connection;
    cli.out(`controller at ${server}, Kubernetes API ${body.major}.${body.minor}`);
    return 0;
  },
});
