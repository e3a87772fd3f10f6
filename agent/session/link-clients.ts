import { type ChannelOptions, credentials } from '@grpc/grpc-js';
import { AgentLinkClient } from '../../api/generated/agent.ts';
import { controllerTlsName } from '../../api/join.ts';
import { linkChannel } from '../../api/link-channel.ts';
import type { NodeIdentity } from './node-identity.ts';

/** A dead peer is noticed within keepalive time and timeout; its channel is closed then, never reconnected. */
const channelOptions: ChannelOptions = {
  ...linkChannel,
  'grpc.ssl_target_name_override': controllerTlsName,
  'grpc.use_local_subchannel_pool': 1,
  'grpc.enable_retries': 0,
  'grpc.service_config_disable_resolution': 1,
  'grpc.enable_http_proxy': 0,
};

/**
 * One connection to a controller. What flows in bulk can't hold up the control stream, nor another session, hence one for
 * each: on a shared one, a large copy kept new sessions from saying that they are ready for as long as it took.
 */
export function dialController(address: string, { ca, key, certificate }: NodeIdentity) {
  const pem = (text: string) => Buffer.from(text);
  const tls = credentials.createSsl(pem(ca), pem(key), pem(certificate));
  return new AgentLinkClient(address, tls, channelOptions);
}
