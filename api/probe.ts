import * as s from './schema.ts';

/** A check of a container that the agent repeats. Exactly one of exec, httpGet, tcpSocket. */
export const probeFields = {
  exec: s
    .obj({ command: s.list(s.str()).doc('Run in the container, without a shell.') })
    .doc('Success is exit code 0.'),
  httpGet: s
    .obj({
      path: s.str().doc('Path and query.').default('/'),
      port: s.intOrString().doc('Number, or name of a port of the container.').required(),
      host: s.str().doc("Default: the pod's address."),
      scheme: s.str({ values: ['HTTP', 'HTTPS'] }).default('HTTP'),
      httpHeaders: s.list(s.obj({ name: s.str().required(), value: s.str().default('') })),
    })
    .doc('Success is an answer from 200 to 399.'),
  tcpSocket: s
    .obj({
      port: s.intOrString().doc('Number, or name of a port of the container.').required(),
      host: s.str().doc("Default: the pod's address."),
    })
    .doc('Success is a connection.'),
  grpc: s.unsupported(),
  initialDelaySeconds: s.int({ min: 0 }).doc('Time from the start to the first check.'),
  timeoutSeconds: s.int({ min: 1 }).doc('A check that takes longer has failed.').default(1),
  periodSeconds: s.int({ min: 1 }).doc('Time between checks.').default(10),
  successThreshold: s.int({ min: 1 }).doc('Successes in a row that heal.').default(1),
  failureThreshold: s.int({ min: 1 }).doc('Failures in a row that count.').default(3),
  terminationGracePeriodSeconds: s.unsupported(),
};

export type Probe = s.ObjectOf<typeof probeFields>;
