import type { Container, EnvVar, SecurityContext, VolumeMount } from './container.ts';
import * as field from './field-error.ts';
import { errorsOf, errorsOfEach, type FieldErrors, type FieldPath } from './field-error.ts';
import {
  checkEnvName,
  checkIpv4,
  checkPortName,
  checkPortNumberOrName,
  checkQualifiedName,
  checkRelativePath,
} from './names.ts';
import type { Probe } from './probe.ts';
import { validateResources } from './validate-resources.ts';

/** One container or init container. `volumes`: the names that its mounts may use. */
export function validateContainer(
  container: Container,
  volumes: ReadonlySet<string>,
  at: FieldPath,
): FieldErrors {
  const { image, securityContext } = container;
  return errorsOf(
    image.trim() !== image &&
      field.invalid(at('image'), image, 'must not have leading or trailing whitespace'),
    validatePorts(container, at('ports')),
    errorsOfEach(container.env, at('env'), validateEnvVar),
    errorsOfEach(container.envFrom, at('envFrom'), ({ prefix, ...sources }, path) =>
      errorsOf(
        prefix && field.check(path('prefix'), prefix, checkEnvName),
        exactlyOne(sources, ['configMapRef', 'secretRef'], path),
      ),
    ),
    validateResources(container.resources, at('resources')),
    errorsOfEach(container.volumeMounts, at('volumeMounts'), (mount, path) =>
      validateVolumeMount(mount, volumes, path),
    ),
    validateProbes(container, at),
    securityContext && validateSecurityContext(securityContext, at('securityContext')),
    securityContext && validateAppArmor(securityContext, at('securityContext')),
  );
}

const probes = ['livenessProbe', 'readinessProbe', 'startupProbe'] as const;

/** An init container ends before anyone could ask whether it is ready. */
export function validateNoProbes(container: Container, at: FieldPath): FieldErrors {
  return probes
    .filter((probe) => container[probe] !== undefined)
    .map((probe) =>
      field.forbidden(at(probe), 'may not be set for init containers without restartPolicy=Always'),
    );
}

function validatePorts({ ports = [] }: Container, at: FieldPath): FieldErrors {
  const names = ports.map(({ name }) => name);
  return errorsOfEach(ports, at, ({ name, hostIP }, path, index) =>
    errorsOf(
      hostIP && validateHostIp(hostIP, path('hostIP')),
      name && field.check(path('name'), name, checkPortName),
      name && names.indexOf(name) < index && field.duplicate(path('name'), name),
    ),
  );
}

/** Of the loopback network no port is opened: agent/network/service-rules.ts says why. */
function validateHostIp(ip: string, at: FieldPath): FieldErrors {
  return ip.startsWith('127.') ? [field.unsupported(at, ip)] : field.check(at, ip, checkIpv4);
}

function validateEnvVar({ name, value, valueFrom }: EnvVar, at: FieldPath): FieldErrors {
  const possible = ['fieldRef', 'configMapKeyRef', 'secretKeyRef'];
  const path = valueFrom?.fieldRef?.fieldPath;
  const source = at('valueFrom');
  return errorsOf(
    field.check(at('name'), name, checkEnvName),
    valueFrom &&
      value &&
      field.invalid(source, '', 'may not be specified when `value` is not empty'),
    valueFrom && exactlyOne(valueFrom, possible, source),
    path !== undefined && validateFieldPath(path, source('fieldRef')('fieldPath')),
  );
}

function exactlyOne(given: object, possible: readonly string[], at: FieldPath): FieldErrors {
  const { length } = Object.keys(given);
  const words = possible.map((one) => `\`${one}\``).join(', ');
  return errorsOf(
    length === 0 && field.invalid(at, '', `must specify one of: ${words}`),
    length > 1 && field.invalid(at, '', 'may not have more than one field specified at a time'),
  );
}

/** Fields of the pod that a variable may hold. */
const ENV_FIELD_PATHS = [
  'metadata.name',
  'metadata.namespace',
  'metadata.uid',
  'spec.nodeName',
  'spec.serviceAccountName',
  'status.hostIP',
  'status.hostIPs',
  'status.podIP',
  'status.podIPs',
  "metadata.labels['KEY']",
  "metadata.annotations['KEY']",
];

function validateFieldPath(path: string, at: FieldPath): FieldErrors {
  const subscript = /^metadata\.(?:labels|annotations)\['(.+)'\]$/.exec(path)?.[1];
  if (subscript !== undefined)
    return field.check(at, path, () => checkQualifiedName(subscript.toLowerCase()));
  return ENV_FIELD_PATHS.includes(path) ? [] : [field.notOneOf(at, path, ENV_FIELD_PATHS)];
}

function validateVolumeMount(
  { name, mountPath, subPath }: VolumeMount,
  volumes: ReadonlySet<string>,
  at: FieldPath,
): FieldErrors {
  return errorsOf(
    !volumes.has(name) && field.missing(at('name'), name),
    field.check(at('mountPath'), mountPath, checkMountPath),
    subPath && field.check(at('subPath'), subPath, checkRelativePath),
  );
}

function checkMountPath(path: string): string | undefined {
  if (path.includes(':')) return "must not contain ':'";
  if (path.includes('\0')) return 'must not contain a zero byte';
  return path.startsWith('/') ? undefined : 'must be an absolute path';
}

function validateProbes(container: Container, at: FieldPath): FieldErrors {
  return probes.flatMap((name) => {
    const probe = container[name];
    if (probe === undefined) return [];
    const { successThreshold } = probe;
    return errorsOf(
      validateProbe(probe, at(name)),
      name !== 'readinessProbe' &&
        successThreshold !== 1 &&
        field.invalid(at(name)('successThreshold'), successThreshold, 'must be 1'),
    );
  });
}

function validateProbe(probe: Probe, at: FieldPath): FieldErrors {
  const { exec, httpGet, tcpSocket } = probe;
  const [first, ...more] = (['exec', 'httpGet', 'tcpSocket'] as const).filter(
    (handler) => probe[handler] !== undefined,
  );
  return errorsOf(
    first === undefined && field.required(at, 'must specify a handler type'),
    more.map((handler) => field.forbidden(at(handler), 'may not specify more than 1 handler type')),
    exec && !exec.command?.length && field.required(at('exec')('command')),
    httpGet && validatePort(httpGet.port, at('httpGet')('port')),
    tcpSocket && validatePort(tcpSocket.port, at('tcpSocket')('port')),
  );
}

const validatePort = (port: number | string, at: FieldPath): FieldErrors =>
  field.check(at, port, checkPortNumberOrName);

/** Of a pod or a container. */
export function validateAppArmor(
  { appArmorProfile }: Pick<SecurityContext, 'appArmorProfile'>,
  at: FieldPath,
): FieldErrors {
  const { type, localhostProfile: name = '' } = appArmorProfile ?? {};
  const path = at('appArmorProfile')('localhostProfile');
  const isLocal = type === 'Localhost';
  return errorsOf(
    isLocal && !name.trim() && field.required(path, 'must be set when AppArmor type is Localhost'),
    !isLocal &&
      name &&
      field.invalid(path, name, 'can only be set when AppArmor type is Localhost'),
    name.trim() !== name && field.invalid(path, name, 'must not be padded with whitespace'),
  );
}

function validateSecurityContext(
  { privileged, allowPrivilegeEscalation, capabilities }: SecurityContext,
  at: FieldPath,
): FieldErrors {
  if (allowPrivilegeEscalation !== false) return [];
  const isAdmin = capabilities?.add?.some((name) => /^(CAP_)?SYS_ADMIN$/.test(name));
  const because = (what: string) =>
    field.invalid(at, '', `cannot set \`allowPrivilegeEscalation\` to false and ${what}`);
  return errorsOf(
    privileged && because('`privileged` to true'),
    isAdmin && because('`capabilities.Add` CAP_SYS_ADMIN'),
  );
}
