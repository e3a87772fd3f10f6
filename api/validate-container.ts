import type {
  Container,
  EnvVar,
  ResourceRequirements,
  SecurityContext,
  VolumeMount,
} from './container.ts';
import * as field from './field-error.ts';
import { errorsOf, errorsOfEach, type Rule } from './field-error.ts';
import * as names from './names.ts';
import { own } from './normalize.ts';
import type { Probe } from './probe.ts';
import { compareQuantities, quantityOf } from './quantity.ts';

/** One container or init container. `volumes`: the names that its mounts may use. */
export const validateContainer =
  (volumes: ReadonlySet<string>): Rule<Container> =>
  (container, at) => {
    const { image, securityContext } = container;
    return errorsOf(
      image.trim() !== image &&
        field.invalid(at('image'), image, 'must not have leading or trailing whitespace'),
      validatePorts(container, at('ports')),
      errorsOfEach(container.env, at('env'), validateEnvVar),
      errorsOfEach(container.envFrom, at('envFrom'), ({ prefix, ...sources }, path) =>
        errorsOf(
          prefix && field.check(path('prefix'), prefix, names.checkEnvName),
          exactlyOne(['configMapRef', 'secretRef'])(sources, path),
        ),
      ),
      validateResources(container.resources, at('resources')),
      errorsOfEach(container.volumeMounts, at('volumeMounts'), validateVolumeMount(volumes)),
      validateProbes(container, at),
      securityContext && validateSecurityContext(securityContext, at('securityContext')),
      securityContext && validateAppArmor(securityContext, at('securityContext')),
    );
  };

const probes = ['livenessProbe', 'readinessProbe', 'startupProbe'] as const;

/** An init container ends before anyone could ask whether it is ready. */
export const validateNoProbes: Rule<Container> = (container, at) =>
  probes
    .filter((probe) => container[probe] !== undefined)
    .map((probe) =>
      field.forbidden(at(probe), 'may not be set for init containers without restartPolicy=Always'),
    );

/** What a container that comes late can't have. */
export const validateOnlyEphemeral: Rule<Container> = (container, at) => {
  const { ports, resources, volumeMounts } = container;
  const why = 'cannot be set for an Ephemeral Container';
  return errorsOf(
    ports?.length && field.forbidden(at('ports'), why),
    probes.filter((probe) => container[probe]).map((probe) => field.forbidden(at(probe), why)),
    (resources.limits || resources.requests) && field.forbidden(at('resources'), why),
    errorsOfEach(volumeMounts, at('volumeMounts'), ({ subPath }, path) =>
      subPath ? [field.forbidden(path('subPath'), why)] : [],
    ),
  );
};

const validatePorts: Rule<Container> = ({ ports = [] }, at) => {
  const taken = ports.map(({ name }) => name);
  return errorsOfEach(ports, at, ({ name, hostIP }, path, index) =>
    errorsOf(
      hostIP && validateHostIp(hostIP, path('hostIP')),
      name && field.check(path('name'), name, names.checkPortName),
      name && taken.indexOf(name) < index && field.duplicate(path('name'), name),
    ),
  );
};

/** Of the loopback network no port is opened: agent/network/service-rules.ts says why. */
const validateHostIp: Rule<string> = (ip, at) =>
  ip.startsWith('127.') ? [field.unsupported(at, ip)] : field.check(at, ip, names.checkIpv4);

const validateEnvVar: Rule<EnvVar> = ({ name, value, valueFrom }, at) => {
  const possible = ['fieldRef', 'configMapKeyRef', 'secretKeyRef'];
  const path = valueFrom?.fieldRef?.fieldPath;
  const source = at('valueFrom');
  return errorsOf(
    field.check(at('name'), name, names.checkEnvName),
    valueFrom &&
      value &&
      field.invalid(source, '', 'may not be specified when `value` is not empty'),
    valueFrom && exactlyOne(possible)(valueFrom, source),
    path !== undefined && validateFieldPath(path, source('fieldRef')('fieldPath')),
  );
};

const exactlyOne =
  (possible: readonly string[]): Rule<object> =>
  (given, at) => {
    const { length } = Object.keys(given);
    const words = possible.map((one) => `\`${one}\``).join(', ');
    return errorsOf(
      length === 0 && field.invalid(at, '', `must specify one of: ${words}`),
      length > 1 && field.invalid(at, '', 'may not have more than one field specified at a time'),
    );
  };

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

const validateFieldPath: Rule<string> = (path, at) => {
  const subscript = /^metadata\.(?:labels|annotations)\['(.+)'\]$/.exec(path)?.[1];
  if (subscript !== undefined)
    return field.check(at, path, () => names.checkQualifiedName(subscript.toLowerCase()));
  return ENV_FIELD_PATHS.includes(path) ? [] : [field.notOneOf(at, path, ENV_FIELD_PATHS)];
};

const validateVolumeMount =
  (volumes: ReadonlySet<string>): Rule<VolumeMount> =>
  ({ name, mountPath, subPath }, at) =>
    errorsOf(
      !volumes.has(name) && field.missing(at('name'), name),
      field.check(at('mountPath'), mountPath, checkMountPath),
      subPath && field.check(at('subPath'), subPath, names.checkRelativePath),
    );

function checkMountPath(path: string): string | undefined {
  if (path.includes(':')) return "must not contain ':'";
  if (path.includes('\0')) return 'must not contain a zero byte';
  return path.startsWith('/') ? undefined : 'must be an absolute path';
}

const validateProbes: Rule<Container> = (container, at) =>
  probes.flatMap((name) => {
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

const validateProbe: Rule<Probe> = (probe, at) => {
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
};

const validatePort: Rule<number | string> = (port, at) =>
  field.check(at, port, names.checkPortNumberOrName);

/** Of a pod or a container. */
export const validateAppArmor: Rule<Pick<SecurityContext, 'appArmorProfile'>> = (context, at) => {
  const { type, localhostProfile: name = '' } = context.appArmorProfile ?? {};
  const path = at('appArmorProfile')('localhostProfile');
  const isLocal = type === 'Localhost';
  return errorsOf(
    isLocal && !name.trim() && field.required(path, 'must be set when AppArmor type is Localhost'),
    !isLocal &&
      name &&
      field.invalid(path, name, 'can only be set when AppArmor type is Localhost'),
    name.trim() !== name && field.invalid(path, name, 'must not be padded with whitespace'),
  );
};

const validateSecurityContext: Rule<SecurityContext> = (context, at) => {
  const { privileged, allowPrivilegeEscalation, capabilities } = context;
  if (allowPrivilegeEscalation !== false) return [];
  const isAdmin = capabilities?.add?.some((name) => /^(CAP_)?SYS_ADMIN$/.test(name));
  const because = (what: string) =>
    field.invalid(at, '', `cannot set \`allowPrivilegeEscalation\` to false and ${what}`);
  return errorsOf(
    privileged && because('`privileged` to true'),
    isAdmin && because('`capabilities.Add` CAP_SYS_ADMIN'),
  );
};

type Quantities = Readonly<Record<string, string>>;

/** cpu and memory; requests at most as large as limits. */
const validateResources: Rule<ResourceRequirements> = ({ limits = {}, requests = {} }, at) => {
  const entries = Object.entries(requests);
  // One that is only the limit again has been reported there.
  const unlike = entries.filter(([resource, quantity]) => limits[resource] !== quantity);
  return [
    ...validateQuantities(limits, at('limits')),
    ...validateRoom(limits, at('limits')),
    ...validateQuantities(Object.fromEntries(unlike), at('requests')),
    ...entries.flatMap(([resource, request]) => {
      const limit = own(limits, resource);
      if (limit === undefined || compareQuantities(request, limit) <= 0) return [];
      const why = `must be less than or equal to ${resource} limit of ${limit}`;
      return [field.invalid(at('requests'), request, why)];
    }),
  ];
};

const validateQuantities: Rule<Quantities> = (quantities, at) =>
  Object.entries(quantities).flatMap(([resource, quantity]) => {
    if (resource !== 'cpu' && resource !== 'memory') return [field.unsupported(at(resource))];
    if (quantityOf(quantity).nano < 0n)
      return [field.invalid(at(resource), quantity, 'must be greater than or equal to 0')];
    return resource === 'memory' ? validateBytes(quantity, at(resource)) : [];
  });

/** "512m" of memory is half a byte, and never what was meant. */
const validateBytes: Rule<string> = (quantity, at) => {
  const { nano } = quantityOf(quantity);
  if (nano % 1_000_000_000n === 0n) return [];
  const bytes = Number(nano) / 1e9;
  const meant = /^(\d+)m$/.exec(quantity)?.[1];
  const advice = meant ? `did you mean "${meant}Mi"?` : 'must be a whole number of bytes';
  return [field.invalid(at, quantity, `is ${bytes} bytes; ${advice}`)];
};

/** "512" of memory is what no process fits into. */
const validateRoom: Rule<Quantities> = ({ memory }, at) => {
  const nano = memory === undefined ? 0n : quantityOf(memory).nano;
  if (memory === undefined || nano < 1_000_000_000n || nano >= 65_536_000_000_000n) return [];
  const why = `is ${nano / 1_000_000_000n} bytes: nothing runs in that; Mi is a megabyte`;
  return [field.invalid(at('memory'), memory, why)];
};
