const maxMessageBytes = 64 * 2 ** 20;

/**
 * What both sides of the controller–agent link set for gRPC. The timeout is long, as grpc-js takes its own process' standing
 * still for the peer's silence. A host that is up again says so at once.
 */
export const linkChannel = {
  'grpc.keepalive_time_ms': 3000,
  'grpc.keepalive_timeout_ms': 15_000,
  'grpc.max_receive_message_length': maxMessageBytes,
  'grpc.max_send_message_length': maxMessageBytes,
};
