import type { Container, EnvFromSource, EnvVar } from '../../api/container.ts';
import type { Pod } from '../../api/pod.ts';
import type { PodAssignment } from '../ledger/assignment.ts';
import type { NetworkTable } from '../ports.ts';

/** What a container's environment and arguments are made of. */
export interface EnvironmentInput {
  readonly assignment: PodAssignment;
  readonly podIp: string;
  readonly hostIp: string;
  readonly nodeName: string;
  readonly network: NetworkTable | undefined;
}

export type Environment =
  | { readonly ok: true; readonly variables: ReadonlyMap<string, string> }
  /** Kubernetes' CreateContainerConfigError. */
  | { readonly ok: false; readonly problem: string };

/** Services' addresses, then envFrom, then env, later ones winning. Pure. */
export function environmentOf(container: Container, input: EnvironmentInput): Environment {
  const variables = new Map<string, string>();
  const { pod } = input.assignment;
  if (pod.spec.enableServiceLinks !== false) addServiceLinks(variables, pod, input.network);
  for (const source of container.envFrom ?? []) {
    const problem = addAll(variables, source, input);
    if (problem) return { ok: false, problem };
  }
  for (const variable of container.env ?? []) {
    const problem = addOne(variables, variable, input);
    if (problem) return { ok: false, problem };
  }
  return { ok: true, variables };
}

/** $(NAME) of a known name is replaced, $$ is a dollar, anything else stays. Kubernetes' expansion syntax. */
export function expand(text: string, variables: ReadonlyMap<string, string>): string {
  return text.replace(/\$(\$|\(([^()]*)\))/g, (whole, kind: string, name: string) =>
    kind === '$' ? '$' : (variables.get(name) ?? whole),
  );
}

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

/** A problem, or undefined. */
function addAll(
  variables: Map<string, string>,
  source: EnvFromSource,
  { assignment }: EnvironmentInput,
): string | undefined {
  const { prefix = '', configMapRef, secretRef } = source;
  const add = (entries: Iterable<readonly [string, string]>) => {
    for (const [name, value] of entries) variables.set(`${prefix}${name}`, value);
  };
  if (configMapRef) {
    const configMap = assignment.configMaps.get(configMapRef.name);
    if (configMap) add(Object.entries(configMap.data ?? {}));
    else if (!configMapRef.optional) return `configmap "${configMapRef.name}" not found`;
  }
  if (secretRef) {
    const secret = assignment.secrets.get(secretRef.name);
    if (secret) add(Object.entries(secret.data ?? {}).map(([k, v]) => [k, decode(v)]));
    else if (!secretRef.optional) return `secret "${secretRef.name}" not found`;
  }
  return undefined;
}

function addOne(
  variables: Map<string, string>,
  { name, value, valueFrom }: EnvVar,
  input: EnvironmentInput,
): string | undefined {
  if (valueFrom === undefined) {
    variables.set(name, expand(value ?? '', variables));
    return undefined;
  }
  const { configMapKeyRef, secretKeyRef, fieldRef } = valueFrom;
  if (fieldRef) {
    variables.set(name, fieldOf(fieldRef.fieldPath, input));
    return undefined;
  }
  const ref = configMapKeyRef ?? secretKeyRef;
  if (ref === undefined) return undefined;
  const found = configMapKeyRef
    ? input.assignment.configMaps.get(ref.name)?.data?.[ref.key]
    : decodeIfThere(input.assignment.secrets.get(ref.name)?.data?.[ref.key]);
  if (found !== undefined) variables.set(name, found);
  else if (!ref.optional) {
    return `couldn't find key ${ref.key} in ${configMapKeyRef ? 'ConfigMap' : 'Secret'} ${ref.name}`;
  }
  return undefined;
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

const decode = (base64: string): string => Buffer.from(base64, 'base64').toString('utf8');
const decodeIfThere = (base64: string | undefined) =>
  base64 === undefined ? undefined : decode(base64);
