import packageJson from '../../package.json' with { type: 'json' };
import type { Cli, DefineVerb } from '../cli.ts';

export const defineVersion: DefineVerb = (command, act) => {
  command.option('--client', 'without asking the controller').action(act(version));
};

async function version(
  cli: Cli,
  _: readonly string[],
  { client: clientOnly = false }: { readonly client?: boolean },
): Promise<number> {
  cli.out(`orc ${packageJson.version}`);
  if (clientOnly) return 0;
  const client = await cli.client();
  const { body } = await client.send<{ major: string; minor: string }>({ path: '/version' });
  const { server } = client.connection;
  cli.out(`controller at ${server}, Kubernetes API ${body.major}.${body.minor}`);
  return 0;
}
