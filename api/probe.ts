import * as s from './schema.ts';

/** A check of a container that the agent repeats. Exactly one of exec, httpGet, tcpSocket. */
export const probeFields = {
  exec: s.obj(
    { command: s.list(s.str(), { about: 'Run in the container, without a shell.' }) },
    { about: 'Success is exit code 0.' },
  ),
  httpGet: s.obj(
    {
      path: s.defaulted(s.str({ about: 'Path and query.' }), '/'),
      port: s.required(s.intOrString({ about: 'Number, or name of a port of the container.' })),
      host: s.str({ about: "Default: the pod's address." }),
      scheme: s.defaulted(s.str({ values: ['HTTP', 'HTTPS'] }), 'HTTP'),
      httpHeaders: s.list(s.obj({ name: s.required(s.str()), value: s.defaulted(s.str(), '') })),
    },
    { about: 'Success is an answer from 200 to 399.' },
  ),
  tcpSocket: s.obj(
    {
      port: s.required(s.intOrString({ about: 'Number, or name of a port of the container.' })),
      host: s.str({ about: "Default: the pod's address." }),
    },
    { about: 'Success is a connection.' },
  ),
  grpc: s.unsupported(),
  initialDelaySeconds: s.int({ min: 0, about: 'Time from the start to the first check.' }),
  timeoutSeconds: s.defaulted(s.int({ min: 1, about: 'A check that takes longer has failed.' }), 1),
  periodSeconds: s.defaulted(s.int({ min: 1, about: 'Time between checks.' }), 10),
  successThreshold: s.defaulted(s.int({ min: 1, about: 'Successes in a row that heal.' }), 1),
  failureThreshold: s.defaulted(s.int({ min: 1, about: 'Failures in a row that count.' }), 3),
  terminationGracePeriodSeconds: s.unsupported(),
};

export type Probe = s.ObjectOf<typeof probeFields>;
