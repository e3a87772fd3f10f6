import { invalidBecause } from './check-metadata.ts';
import type {
  Container,
  EnvFromSource,
  EnvVar,
  SecurityContext,
  VolumeMount,
} from './container.ts';
import {
  duplicateField,
  type FieldError,
  type FieldPath,
  forbiddenField,
  invalidField,
  missingField,
  notOneOf,
  unsupportedByOrc,
} from './field-error.ts';
import {
  checkEnvName,
  checkIpv4,
  checkPortName,
  checkQualifiedName,
  checkRelativePath,
} from './names.ts';
import { validateProbe } from './validate-probe.ts';
import { validateResources } from './validate-resources.ts';

/** One container or init container. `volumes`: the names that its mounts may use. */
export function validateContainer(
  container: Container,
  volumes: ReadonlySet<string>,
  at: FieldPath,
): readonly FieldError[] {
  const { env = [], envFrom = [], volumeMounts = [] } = container;
  return [
    ...validateImage(container.image, at('image')),
    ...validatePorts(container, at('ports')),
    ...env.flatMap((variable, index) => validateEnvVar(variable, at('env')(index))),
    ...envFrom.flatMap((source, index) => validateEnvFrom(source, at('envFrom')(index))),
    ...validateResources(container.resources, at('resources')),
    ...volumeMounts.flatMap((mount, index) =>
      validateVolumeMount(mount, volumes, at('volumeMounts')(index)),
    ),
    ...validateProbes(container, at),
    ...validateSecurityContext(container.securityContext ?? {}, at('securityContext')),
  ];
}

/** An init container ends before anyone could ask whether it is ready. */
export function validateNoProbes(container: Container, at: FieldPath): readonly FieldError[] {
  return (['livenessProbe', 'readinessProbe', 'startupProbe'] as const)
    .filter((probe) => container[probe] !== undefined)
    .map((probe) =>
      forbiddenField(at(probe), 'may not be set for init containers without restartPolicy=Always'),
    );
}

function validateImage(image: string, at: FieldPath): readonly FieldError[] {
  return image.trim() === image
    ? []
    : [invalidField(at, image, 'must not have leading or trailing whitespace')];
}

function validatePorts({ ports = [] }: Container, at: FieldPath): readonly FieldError[] {
  const names = ports.map(({ name }) => name);
  return ports.flatMap(({ name, hostIP }, index) => {
    const path = at(index)('name');
    return [
      ...(hostIP ? validateHostIp(hostIP, at(index)('hostIP')) : []),
      ...(name ? invalidBecause(path, name, checkPortName(name)) : []),
      ...(name && names.indexOf(name) < index ? [duplicateField(path, name)] : []),
    ];
  });
}

/** Of the loopback network no port is opened: agent/network/service-rules.ts says why. */
function validateHostIp(ip: string, at: FieldPath): readonly FieldError[] {
  return ip.startsWith('127.') ? [unsupportedByOrc(at, ip)] : invalidBecause(at, ip, checkIpv4(ip));
}

function validateEnvVar({ name, value, valueFrom }: EnvVar, at: FieldPath): readonly FieldError[] {
  const nameErrors = invalidBecause(at('name'), name, checkEnvName(name));
  if (valueFrom === undefined) return nameErrors;
  return [
    ...nameErrors,
    ...(value
      ? [invalidField(at('valueFrom'), '', 'may not be specified when `value` is not empty')]
      : []),
    ...exactlyOne(
      Object.keys(valueFrom),
      ['fieldRef', 'configMapKeyRef', 'secretKeyRef'],
      at('valueFrom'),
    ),
    ...(valueFrom.fieldRef
      ? validateFieldPath(valueFrom.fieldRef.fieldPath, at('valueFrom')('fieldRef')('fieldPath'))
      : []),
  ];
}

function validateEnvFrom(source: EnvFromSource, at: FieldPath): readonly FieldError[] {
  const { prefix, ...sources } = source;
  return [
    ...(prefix ? invalidBecause(at('prefix'), prefix, checkEnvName(prefix)) : []),
    ...exactlyOne(Object.keys(sources), ['configMapRef', 'secretRef'], at),
  ];
}

function exactlyOne(
  given: readonly string[],
  possible: readonly string[],
  at: FieldPath,
): readonly FieldError[] {
  if (given.length === 1) return [];
  const words = possible.map((one) => `\`${one}\``).join(', ');
  return given.length === 0
    ? [invalidField(at, '', `must specify one of: ${words}`)]
    : [invalidField(at, '', 'may not have more than one field specified at a time')];
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
] as const;

function validateFieldPath(path: string, at: FieldPath): readonly FieldError[] {
  const subscript = /^metadata\.(?:labels|annotations)\['(.+)'\]$/.exec(path)?.[1];
  if (subscript !== undefined)
    return invalidBecause(at, path, checkQualifiedName(subscript.toLowerCase()));
  return ENV_FIELD_PATHS.some((one) => one === path)
    ? []
    : [
        notOneOf(at, path, [
          ...ENV_FIELD_PATHS,
          "metadata.labels['KEY']",
          "metadata.annotations['KEY']",
        ]),
      ];
}

function validateVolumeMount(
  { name, mountPath, subPath }: VolumeMount,
  volumes: ReadonlySet<string>,
  at: FieldPath,
): readonly FieldError[] {
  return [
    ...(volumes.has(name) ? [] : [missingField(at('name'), name)]),
    ...invalidBecause(at('mountPath'), mountPath, checkMountPath(mountPath)),
    ...(subPath ? invalidBecause(at('subPath'), subPath, checkRelativePath(subPath)) : []),
  ];
}

function checkMountPath(path: string): string | undefined {
  if (path.includes(':')) return "must not contain ':'";
  if (path.includes('\0')) return 'must not contain a zero byte';
  return path.startsWith('/') ? undefined : 'must be an absolute path';
}

function validateProbes(container: Container, at: FieldPath): readonly FieldError[] {
  const { livenessProbe, readinessProbe, startupProbe } = container;
  const onlyOne = [
    ['livenessProbe', livenessProbe],
    ['startupProbe', startupProbe],
  ] as const;
  return [
    ...(livenessProbe ? validateProbe(livenessProbe, at('livenessProbe')) : []),
    ...(readinessProbe ? validateProbe(readinessProbe, at('readinessProbe')) : []),
    ...(startupProbe ? validateProbe(startupProbe, at('startupProbe')) : []),
    ...onlyOne
      .filter(([, probe]) => probe !== undefined && probe.successThreshold !== 1)
      .map(([name, probe]) =>
        invalidField(at(name)('successThreshold'), probe?.successThreshold, 'must be 1'),
      ),
  ];
}

function validateSecurityContext(
  { privileged, allowPrivilegeEscalation, capabilities }: SecurityContext,
  at: FieldPath,
): readonly FieldError[] {
  if (allowPrivilegeEscalation !== false) return [];
  const because = (what: string) =>
    invalidField(at, '', `cannot set \`allowPrivilegeEscalation\` to false and ${what}`);
  return [
    ...(privileged ? [because('`privileged` to true')] : []),
    ...(capabilities?.add?.some((cap) => /^(CAP_)?SYS_ADMIN$/.test(cap))
      ? [because('`capabilities.Add` CAP_SYS_ADMIN')]
      : []),
  ];
}
