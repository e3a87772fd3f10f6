import {
  defaulted,
  int,
  intOrString,
  list,
  type ObjectOf,
  obj,
  required,
  str,
  unsupported,
} from './schema.ts';

/** A check of a container that the agent repeats. Exactly one of exec, httpGet, tcpSocket. */
export const probeFields = {
  exec: obj(
    { command: list(str(), { about: 'Run in the container, without a shell.' }) },
    { about: 'Success is exit code 0.' },
  ),
  httpGet: obj(
    {
      path: defaulted(str({ about: 'Path and query.' }), '/'),
      port: required(intOrString({ about: 'Number, or name of a port of the container.' })),
      host: str({ about: "Default: the pod's address." }),
      scheme: defaulted(str({ values: ['HTTP', 'HTTPS'] }), 'HTTP'),
      httpHeaders: list(obj({ name: required(str()), value: defaulted(str(), '') })),
    },
    { about: 'Success is an answer from 200 to 399.' },
  ),
  tcpSocket: obj(
    {
      port: required(intOrString({ about: 'Number, or name of a port of the container.' })),
      host: str({ about: "Default: the pod's address." }),
    },
    { about: 'Success is a connection.' },
  ),
  grpc: unsupported(),
  initialDelaySeconds: int({ min: 0, about: 'Time from the start to the first check.' }),
  timeoutSeconds: defaulted(int({ min: 1, about: 'A check that takes longer has failed.' }), 1),
  periodSeconds: defaulted(int({ min: 1, about: 'Time between checks.' }), 10),
  successThreshold: defaulted(int({ min: 1, about: 'Successes in a row that heal.' }), 1),
  failureThreshold: defaulted(int({ min: 1, about: 'Failures in a row that count.' }), 3),
  terminationGracePeriodSeconds: unsupported(),
};

export type Probe = ObjectOf<typeof probeFields>;
