import { on, text, UsageError } from '../../base/flags.ts';
import { hostAddresses } from '../../base/host-addresses.ts';
import { defineVerb } from '../define-verb.ts';
import { parseDuration } from '../print/duration.ts';

export const defineToken = defineVerb({
  words: { '<verb>': 'create' },
  flags: {
    controller: on('for a further controller, which joins with it once'),
    ttl: text('time', 'how long it can be used (default: the controller’s, an hour)').parsed(
      parseDuration,
    ),
  },
  async run(cli, [verb = ''], { ttl, controller }) {
    if (verb !== 'create') throw new UsageError(`there is only "orc token create", not "${verb}"`);
    const ttlSeconds = ttl === undefined ? undefined : Math.ceil(ttl / 1000);
    const { body } = await cli.api.send<{ token: string; expiresAt: string }>({
      method: 'POST',
      path: '/orc/v1/tokens',
      body: { use: controller ? 'controller' : 'node', ttlSeconds },
    });
    const [server = '', ...others] = reachable((await cli.api.connected()).connection.server);
    const start = controller
      ? `sudo orc controller --join ${server} --etcd URL-OF-THE-STORE --token ${body.token}`
      : `sudo orc agent join ${server} ${body.token}`;
    cli.out(body.token);
    cli.err(`\ngood until ${body.expiresAt}; on the new host:\n\n  ${start}`);
    if (others.length > 0) cli.err(`\nor, if it doesn't reach that address: ${others.join(', ')}`);
  },
});

/** The server as other machines call it: the kubeconfig of its own machine says 127.0.0.1. */
function reachable(server: string): readonly string[] {
  const url = new URL(server);
  const addresses = hostAddresses();
  if (!['127.0.0.1', 'localhost'].includes(url.hostname) || addresses.length === 0) return [server];
  return addresses.map((address) => `${url.protocol}//${address}:${url.port}`);
}
