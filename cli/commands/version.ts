import { on, type ValuesOf } from '../../base/flags.ts';
import packageJson from '../../package.json' with { type: 'json' };
import type { Cli } from '../cli.ts';
import { defineVerb } from '../define-verb.ts';

const versionFlags = { client: on('without asking the controller') };

export const defineVersion = defineVerb({ flags: versionFlags, run: version });

async function version(
  cli: Cli,
  _: readonly string[],
  { client: clientOnly }: ValuesOf<typeof versionFlags>,
): Promise<number> {
  cli.out(`orc ${packageJson.version}`);
  if (clientOnly) return 0;
  const client = await cli.client();
  const { body } = await client.send<{ major: string; minor: string }>({ path: '/version' });
  const { server } = client.connection;
  cli.out(`controller at ${server}, Kubernetes API ${body.major}.${body.minor}`);
  return 0;
}
