import { describe, expect, it } from 'vitest';
import { Pod } from '../../../api/pod.ts';
import { errorsOf, stored, updateErrorsOf } from '../../support/parse.ts';

const container = { name: 'web', image: 'nginx:1.27' };
const pod = (spec: object) => ({
  metadata: { name: 'web' },
  spec: { containers: [container], ...spec },
});
const withContainer = (fields: object) => pod({ containers: [{ ...container, ...fields }] });
const at = 'spec.containers[0]';

describe('a container', () => {
  it.each<[string, object, readonly string[]]>([
    [
      'has an image without blanks around',
      { image: ' nginx' },
      [`${at}.image: Invalid value: " nginx": must not have leading or trailing whitespace`],
    ],
    [
      'names its ports once, in the right form',
      {
        ports: [
          { containerPort: 80, name: 'http' },
          { containerPort: 81, name: 'http' },
          { containerPort: 82, name: 'Web_port' },
          { containerPort: 83, name: 'a-name-that-is-too-long' },
          { containerPort: 84, name: '84' },
        ],
      },
      [
        `${at}.ports[1].name: Duplicate value: "http"`,
        `${at}.ports[2].name: Invalid value: "Web_port": must contain only lower case letters, digits, or '-'`,
        `${at}.ports[3].name: Invalid value: "a-name-that-is-too-long": must be no more than 15 characters`,
        `${at}.ports[4].name: Invalid value: "84": must contain at least one letter (a-z)`,
      ],
    ],
    [
      'has variables with one source each',
      {
        env: [
          { name: 'A=B', value: '1' },
          { name: 'B', value: '1', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
          { name: 'C', valueFrom: {} },
          {
            name: 'D',
            valueFrom: {
              configMapKeyRef: { name: 'c', key: 'k' },
              secretKeyRef: { name: 'c', key: 'k' },
            },
          },
        ],
      },
      [
        `${at}.env[0].name: Invalid value: "A=B": must consist only of printable ASCII characters other than '='`,
        `${at}.env[1].valueFrom: Invalid value: "": may not be specified when \`value\` is not empty`,
        `${at}.env[2].valueFrom: Invalid value: "": must specify one of: \`fieldRef\`, \`configMapKeyRef\`, \`secretKeyRef\``,
        `${at}.env[3].valueFrom: Invalid value: "": may not have more than one field specified at a time`,
      ],
    ],
    [
      'reads labels and annotations of the pod',
      {
        env: [
          { name: 'A', valueFrom: { fieldRef: { fieldPath: "metadata.labels['app']" } } },
          { name: 'B', valueFrom: { fieldRef: { fieldPath: "metadata.annotations['x.com/Y']" } } },
          { name: 'C', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
        ],
      },
      [],
    ],
    [
      'reads no other field',
      { env: [{ name: 'A', valueFrom: { fieldRef: { fieldPath: 'spec.hostname' } } }] },
      [
        `${at}.env[0].valueFrom.fieldRef.fieldPath: Unsupported value: "spec.hostname": supported values: "metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName", "status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs", "metadata.labels['KEY']", "metadata.annotations['KEY']"`,
      ],
    ],
    [
      'takes all variables of a ConfigMap or of a Secret',
      { envFrom: [{}, { prefix: 'X_', configMapRef: { name: 'c' } }] },
      [`${at}.envFrom[0]: Invalid value: "": must specify one of: \`configMapRef\`, \`secretRef\``],
    ],
    [
      'mounts volumes that are there, at absolute paths',
      {
        volumeMounts: [
          { name: 'none', mountPath: '/a' },
          { name: 'none', mountPath: 'b' },
          { name: 'none', mountPath: '/c', subPath: '../etc' },
          { name: 'none', mountPath: '/d:e', subPath: '/etc' },
        ].slice(0, 4),
      },
      [
        `${at}.volumeMounts[0].name: Not found: "none"`,
        `${at}.volumeMounts[1].name: Not found: "none"`,
        `${at}.volumeMounts[1].mountPath: Invalid value: "b": must be an absolute path`,
        `${at}.volumeMounts[2].name: Not found: "none"`,
        `${at}.volumeMounts[2].subPath: Invalid value: "../etc": must not contain '..'`,
        `${at}.volumeMounts[3].name: Not found: "none"`,
        `${at}.volumeMounts[3].mountPath: Invalid value: "/d:e": must not contain ':'`,
        `${at}.volumeMounts[3].subPath: Invalid value: "/etc": must be a relative path`,
      ],
    ],
    [
      'asks for no more than its limits',
      {
        resources: {
          limits: { cpu: '1', memory: '1Gi' },
          requests: { cpu: '1500m', memory: '1025Mi' },
        },
      },
      [
        `${at}.resources.requests: Invalid value: "1500m": must be less than or equal to cpu limit of 1`,
        `${at}.resources.requests: Invalid value: "1025Mi": must be less than or equal to memory limit of 1Gi`,
      ],
    ],
    [
      'asks for cpu and memory only, and not for less than none',
      { resources: { limits: { cpu: '-1', 'ephemeral-storage': '1Gi', 'hugepages-2Mi': '2Mi' } } },
      [
        `${at}.resources.limits.cpu: Invalid value: "-1": must be greater than or equal to 0`,
        `${at}.resources.limits.ephemeral-storage: not supported by orc yet`,
        `${at}.resources.limits.hugepages-2Mi: not supported by orc yet`,
        `${at}.resources.requests.ephemeral-storage: not supported by orc yet`,
        `${at}.resources.requests.hugepages-2Mi: not supported by orc yet`,
      ].slice(0, 3),
    ],
    [
      'surely did not mean half a byte',
      { resources: { limits: { memory: '512m' } } },
      [
        `${at}.resources.limits.memory: Invalid value: "512m": is 0.512 bytes; did you mean "512Mi"?`,
      ],
    ],
    [
      'surely meant megabytes',
      { resources: { limits: { memory: '512' } } },
      [
        `${at}.resources.limits.memory: Invalid value: "512": is 512 bytes: nothing runs in that; Mi is a megabyte`,
      ],
    ],
    [
      'has probes of one kind each',
      {
        livenessProbe: {},
        readinessProbe: { exec: { command: ['x'] }, tcpSocket: { port: 'http' } },
        startupProbe: { exec: { command: [] }, successThreshold: 2 },
      },
      [
        `${at}.livenessProbe: Required value: must specify a handler type`,
        `${at}.readinessProbe.tcpSocket: Forbidden: may not specify more than 1 handler type`,
        `${at}.startupProbe.exec.command: Required value`,
        `${at}.startupProbe.successThreshold: Invalid value: 2: must be 1`,
      ],
    ],
    [
      'has probes of real ports',
      {
        readinessProbe: { httpGet: { port: 70_000 } },
        livenessProbe: { tcpSocket: { port: 'A' } },
      },
      [
        `${at}.livenessProbe.tcpSocket.port: Invalid value: "A": must contain only lower case letters, digits, or '-'`,
        `${at}.readinessProbe.httpGet.port: Invalid value: 70000: must be between 1 and 65535, inclusive`,
      ],
    ],
    [
      'does not contradict itself about privileges',
      {
        securityContext: {
          privileged: true,
          allowPrivilegeEscalation: false,
          capabilities: { add: ['SYS_ADMIN'] },
        },
      },
      [
        `${at}.securityContext: Invalid value: "": cannot set \`allowPrivilegeEscalation\` to false and \`privileged\` to true`,
        `${at}.securityContext: Invalid value: "": cannot set \`allowPrivilegeEscalation\` to false and \`capabilities.Add\` CAP_SYS_ADMIN`,
      ],
    ],
    [
      'names an AppArmor profile exactly where its type wants one',
      { securityContext: { appArmorProfile: { type: 'Localhost' } } },
      [
        `${at}.securityContext.appArmorProfile.localhostProfile: Required value: must be set when AppArmor type is Localhost`,
      ],
    ],
    [
      'says nothing of an AppArmor profile that doesn’t count',
      { securityContext: { appArmorProfile: { type: 'Unconfined', localhostProfile: ' x' } } },
      [
        `${at}.securityContext.appArmorProfile.localhostProfile: Invalid value: " x": can only be set when AppArmor type is Localhost`,
        `${at}.securityContext.appArmorProfile.localhostProfile: Invalid value: " x": must not be padded with whitespace`,
      ],
    ],
  ])('%s', (_, fields, expected) => {
    expect(errorsOf(Pod, withContainer(fields))).toEqual(expected);
  });
});

describe('a pod', () => {
  it.each<[string, object, readonly string[]]>([
    ['has a container', { containers: [] }, ['spec.containers: Required value']],
    [
      'names an AppArmor profile where its type wants one',
      { securityContext: { appArmorProfile: { type: 'Localhost', localhostProfile: '' } } },
      [
        'spec.securityContext.appArmorProfile.localhostProfile: Required value: must be set when AppArmor type is Localhost',
      ],
    ],
    [
      'takes an AppArmor profile of the node',
      { securityContext: { appArmorProfile: { type: 'Localhost', localhostProfile: 'web' } } },
      [],
    ],
    [
      'takes a port of its node once, and none of the loopback network',
      {
        containers: [
          {
            ...container,
            ports: [
              { containerPort: 1, hostPort: 53 },
              { containerPort: 2, hostPort: 53 },
              { containerPort: 3, hostPort: 53, protocol: 'UDP' },
              { containerPort: 4, hostPort: 53, hostIP: '127.0.0.1' },
              { containerPort: 5, hostPort: 53, hostIP: 'host1' },
            ],
          },
        ],
      },
      [
        'spec.containers[0].ports[3].hostIP: "127.0.0.1" is not supported by orc yet',
        'spec.containers[0].ports[4].hostIP: Invalid value: "host1": must be a valid IPv4 address (e.g. 10.9.8.7)',
        'spec.containers[0].ports[1].hostPort: Duplicate value: "TCP//53"',
      ],
    ],
    [
      'has its own ports when it is in the network of its node',
      {
        hostNetwork: true,
        containers: [{ ...container, ports: [{ containerPort: 80, hostPort: 8080 }] }],
      },
      [
        'spec.containers[0].ports[0].hostPort: Invalid value: 8080: must match `containerPort` when `hostNetwork` is true',
      ],
    ],
    [
      'has init containers of other names, without probes',
      { initContainers: [{ ...container, readinessProbe: { tcpSocket: { port: 1 } } }] },
      [
        'spec.initContainers[0].readinessProbe: Forbidden: may not be set for init containers without restartPolicy=Always',
        'spec.initContainers[0].name: Duplicate value: "web"',
      ],
    ],
    [
      'has ephemeral containers without what needs a place from the beginning, and of other names',
      {
        runtimeClassName: 'gvisor',
        ephemeralContainers: [
          {
            ...{
              ...container,
              ports: [{ containerPort: 80 }],
              livenessProbe: { tcpSocket: { port: 1 } },
            },
            ...{ resources: { limits: { cpu: '1' } }, targetContainerName: 'web' },
          },
        ],
      },
      [
        ...['ports', 'livenessProbe', 'resources'].map(
          (name) =>
            `spec.ephemeralContainers[0].${name}: Forbidden: cannot be set for an Ephemeral Container`,
        ),
        'spec.ephemeralContainers[0].name: Duplicate value: "web"',
        'spec.ephemeralContainers[0].targetContainerName: "web" is not supported by orc yet',
        'spec.ephemeralContainers: Forbidden: cannot be set on create',
      ],
    ],
    [
      'has ephemeral containers beside those that there are',
      { ephemeralContainers: [{ name: 'a', image: 'a', targetContainerName: 'b' }] },
      [
        'spec.ephemeralContainers[0].targetContainerName: Not found: "b"',
        'spec.ephemeralContainers: Forbidden: cannot be set on create',
      ],
    ],
    [
      'has volumes of one kind each, and files inside them',
      {
        volumes: [
          {
            name: 'a',
            emptyDir: { medium: 'Memory', sizeLimit: '-1Gi' },
            secret: { secretName: 's' },
          },
          {
            name: 'b',
            configMap: {
              name: 'c',
              items: [
                { key: 'k', path: '../k' },
                { key: 'l', path: 'm' },
                { key: 'n', path: 'm', mode: 0o1000 },
              ].slice(0, 2),
            },
          },
        ],
      },
      [
        'spec.volumes[0].secret: Forbidden: may not specify more than 1 volume type',
        'spec.volumes[0].emptyDir.sizeLimit: Invalid value: "-1Gi": must be greater than or equal to 0',
        'spec.volumes[1].configMap.items[0].path: Invalid value: "../k": must not contain \'..\'',
      ],
    ],
    [
      'has no limit of a directory on disk, which nothing would hold it to',
      { volumes: [{ name: 'a', emptyDir: { sizeLimit: '1Gi' } }] },
      [
        'spec.volumes[0].emptyDir.sizeLimit: Invalid value: "1Gi": without medium Memory this is not supported by orc yet',
      ],
    ],
    [
      'tolerates taints in ways that make sense',
      {
        tolerations: [
          { key: 'a', operator: 'Exists', value: 'x' },
          { operator: 'Equal', value: 'x' },
          { key: 'a', value: 'x', tolerationSeconds: 5 },
          { operator: 'Exists' },
          { key: 'a b' },
        ],
      },
      [
        'spec.tolerations[0].value: Invalid value: "x": must be empty when `operator` is Exists',
        'spec.tolerations[1].operator: Invalid value: "Equal": must be Exists when `key` is empty (every taint)',
        'spec.tolerations[2].effect: Invalid value: "": must be NoExecute when `tolerationSeconds` is set',
        "spec.tolerations[4].key: Invalid value: \"a b\": name part must consist of letters, digits, '-', '_' or '.', and start and end with a letter or digit",
      ],
    ],
    [
      'has names that are host names',
      { hostname: 'a.b', subdomain: 'A', nodeName: 'n!' },
      [
        "spec.nodeName: Invalid value: \"n!\": must consist of lower case letters, digits, '-' or '.', and start and end with a letter or digit (RFC 1123 subdomain)",
        'spec.hostname: Invalid value: "a.b": must consist of lower case letters, digits or \'-\', and start and end with a letter or digit (RFC 1123 label)',
        'spec.subdomain: Invalid value: "A": must consist of lower case letters, digits or \'-\', and start and end with a letter or digit (RFC 1123 label)',
      ],
    ],
    [
      'has no user ids of its own on the node’s network',
      { hostNetwork: true, hostUsers: false },
      ['spec.hostNetwork: Invalid value: true: must be false when `hostUsers` is false'],
    ],
  ])('%s', (_, spec, expected) => {
    expect(errorsOf(Pod, pod(spec))).toEqual(expected);
  });
});

describe('a running pod', () => {
  const previous = stored(Pod, pod({ tolerations: [{ key: 'a', operator: 'Exists' }] }));
  const refusal =
    'spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`, `spec.initContainers[*].image`, `spec.tolerations` (only additions to existing tolerations)';
  const change = (spec: object) => ({ ...previous, spec: { ...previous.spec, ...spec } });
  it.each<[string, object, readonly string[]]>([
    ['may be written back', change({}), []],
    [
      'may get another image',
      change({ containers: [{ ...previous.spec.containers[0], image: 'nginx:2' }] }),
      [],
    ],
    [
      'may tolerate more',
      change({ tolerations: [{ operator: 'Exists' }, { operator: 'Exists', key: 'a' }] }),
      [],
    ],
    ['may not tolerate less', change({ tolerations: [] }), [refusal]],
    ['may not get another node', change({ nodeName: 'b' }), [refusal]],
    [
      'may not get another container',
      change({ containers: [container, { name: 'b', image: 'b' }] }),
      [refusal],
    ],
  ])('%s', (_, next, expected) => {
    expect(updateErrorsOf(Pod, next, previous)).toEqual(expected);
  });
});
