import type { Container, EnvFromSource, EnvVar } from '../../api/container.ts';
import type { Pod } from '../../api/pod.ts';
import type { PodAssignment } from '../ledger/assignment.ts';
import type { NetworkTable } from '../ports.ts';
import { ConfigProblem, configEntries } from './config-entries.ts';

/** What a container's environment and arguments are made of. */
export interface EnvironmentInput {
  readonly assignment: PodAssignment;
  readonly podIp: string;
  readonly hostIp: string;
  readonly nodeName: string;
  readonly network: NetworkTable | undefined;
}

/** Services' addresses, then envFrom, then env, later ones winning. Pure. Throws ConfigProblem. */
export function environmentOf(container: Container, input: EnvironmentInput) {
  const variables = new Map<string, string>();
  const { pod } = input.assignment;
  if (pod.spec.enableServiceLinks !== false) addServiceLinks(variables, pod, input.network);
  for (const source of container.envFrom ?? [])
    for (const [key, bytes] of entriesOf(source, input.assignment))
      variables.set(`${source.prefix ?? ''}${key}`, bytes.toString());
  for (const variable of container.env ?? []) {
    const value = resolved(variable, variables, input);
    if (value !== undefined) variables.set(variable.name, value);
  }
  return variables;
}

/** $(NAME) of a known name is replaced, $$ is a dollar, anything else stays. Kubernetes' expansion syntax. */
export const expand = (text: string, variables: ReadonlyMap<string, string>): string =>
  text.replace(/\$(\$|\(([^()]*)\))/g, (whole, kind: string, name: string) =>
    kind === '$' ? '$' : (variables.get(name) ?? whole),
  );

/** WEB_SERVICE_HOST, WEB_PORT_80_TCP_ADDR …: one for each Service of the pod's namespace. */
function addServiceLinks(
  variables: Map<string, string>,
  pod: Pod,
  network: NetworkTable | undefined,
): void {
  for (const service of network?.services ?? []) {
    const [first] = service.ports;
    if (service.namespace !== pod.metadata.namespace || !service.clusterIp || !first) continue;
    const prefix = service.name.toUpperCase().replaceAll('-', '_');
    variables.set(`${prefix}_SERVICE_HOST`, service.clusterIp);
    variables.set(`${prefix}_SERVICE_PORT`, String(first.port));
    variables.set(`${prefix}_PORT`, linkUrl(first.protocol, service.clusterIp, first.port));
    for (const port of service.ports) {
      if (port.name) {
        const suffix = port.name.toUpperCase().replaceAll('-', '_');
        variables.set(`${prefix}_SERVICE_PORT_${suffix}`, String(port.port));
      }
      const link = `${prefix}_PORT_${port.port}_${port.protocol}`;
      variables.set(link, linkUrl(port.protocol, service.clusterIp, port.port));
      variables.set(`${link}_PROTO`, port.protocol.toLowerCase());
      variables.set(`${link}_PORT`, String(port.port));
      variables.set(`${link}_ADDR`, service.clusterIp);
    }
  }
}

const linkUrl = (protocol: string, address: string, port: number) =>
  `${protocol.toLowerCase()}://${address}:${port}`;

const entriesOf = ({ configMapRef, secretRef }: EnvFromSource, assignment: PodAssignment) => [
  ...(configMapRef ? configEntries(assignment, { kind: 'ConfigMap', ...configMapRef }) : []),
  ...(secretRef ? configEntries(assignment, { kind: 'Secret', ...secretRef }) : []),
];

/** undefined: a key that isn't there and needn't be. */
function resolved(
  { value = '', valueFrom }: EnvVar,
  variables: ReadonlyMap<string, string>,
  input: EnvironmentInput,
): string | undefined {
  if (valueFrom === undefined) return expand(value, variables);
  const { configMapKeyRef, secretKeyRef, fieldRef } = valueFrom;
  if (fieldRef) return fieldOf(fieldRef.fieldPath, input);
  const ref = configMapKeyRef ?? secretKeyRef;
  if (ref === undefined) return undefined;
  const kind = configMapKeyRef ? 'ConfigMap' : 'Secret';
  const { name, key, optional } = ref;
  const found = configEntries(input.assignment, { kind, name, optional: true }).get(key);
  if (!found && !optional) throw new ConfigProblem(`couldn't find key ${key} in ${kind} ${name}`);
  return found?.toString();
}

function fieldOf(path: string, input: EnvironmentInput): string {
  const { metadata, spec } = input.assignment.pod;
  const keyed = /^metadata\.(labels|annotations)\['([^']*)'\]$/.exec(path);
  if (keyed) {
    const from = keyed[1] === 'labels' ? metadata.labels : metadata.annotations;
    return from?.[keyed[2] ?? ''] ?? '';
  }
  const fields: Readonly<Record<string, string | undefined>> = {
    'metadata.name': metadata.name,
    'metadata.namespace': metadata.namespace,
    'metadata.uid': metadata.uid,
    'spec.nodeName': spec.nodeName ?? input.nodeName,
    'spec.serviceAccountName': 'default',
    'status.podIP': input.podIp,
    'status.podIPs': input.podIp,
    'status.hostIP': input.hostIp,
    'status.hostIPs': input.hostIp,
  };
  return fields[path] ?? '';
}
