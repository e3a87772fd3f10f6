import { type ChannelOptions, credentials } from '@grpc/grpc-js';
import { AgentLinkClient } from '../../api/generated/agent.ts';
import { controllerTlsName } from '../../api/join.ts';
import type { NodeIdentity } from './node-identity.ts';

const maxMessageBytes = 64 * 2 ** 20;

/**
 * A dead peer is noticed within keepalive time and timeout; its channel is closed then, never reconnected. The timeout is
 * long, as grpc-js takes its own process' standing still for the peer's silence. A host that is up again says so at once.
 */
const channelOptions: ChannelOptions = {
  'grpc.ssl_target_name_override': controllerTlsName,
  'grpc.keepalive_time_ms': 3000,
  'grpc.keepalive_timeout_ms': 15_000,
  'grpc.max_receive_message_length': maxMessageBytes,
  'grpc.max_send_message_length': maxMessageBytes,
  'grpc.use_local_subchannel_pool': 1,
  'grpc.enable_retries': 0,
  'grpc.service_config_disable_resolution': 1,
  'grpc.enable_http_proxy': 0,
};

/** The two connections to one controller: what flows in bulk can't hold up the control stream. */
export function dialController(address: string, { ca, key, certificate }: NodeIdentity) {
  const pem = (text: string) => Buffer.from(text);
  const dial = () => {
    const tls = credentials.createSsl(pem(ca), pem(key), pem(certificate));
    return new AgentLinkClient(address, tls, channelOptions);
  };
  const [control, bulk] = [dial(), dial()];
  return {
    control,
    bulk,
    close() {
      control.close();
      bulk.close();
    },
  };
}
