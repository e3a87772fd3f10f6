import { checkLabels } from './check-metadata.ts';
import {
  duplicateField,
  errorsOf,
  errorsOfEach,
  type FieldError,
  type FieldPath,
  forbiddenField,
  invalidBecause,
  invalidField,
  requiredField,
} from './field-error.ts';
import { checkDnsLabel, checkDnsSubdomain, checkIpv4, checkPortNumberOrName } from './names.ts';
import type { ServicePort, ServiceSpec } from './service.ts';

export function validateServiceSpec(spec: ServiceSpec, at: FieldPath): readonly FieldError[] {
  const { type, ports = [], clusterIP, selector, externalTrafficPolicy } = spec;
  const mayLackPorts = type === 'ExternalName' || clusterIP === 'None';
  const policyAt = at('externalTrafficPolicy');
  return errorsOf(
    ports.length === 0 && !mayLackPorts && requiredField(at('ports')),
    errorsOfEach(ports, at('ports'), (port, path, index) => [
      ...validatePort(port, ports, path),
      ...validateNodePort(spec, index, path('nodePort')),
    ]),
    externalTrafficPolicy &&
      type !== 'NodePort' &&
      invalidField(policyAt, externalTrafficPolicy, ONLY_REACHABLE),
    checkLabels(selector, at('selector')),
    type === 'ExternalName' ? validateExternalName(spec, at) : validateClusterIp(spec, at),
    spec.sessionAffinity === 'None' &&
      spec.sessionAffinityConfig !== undefined &&
      forbiddenField(at('sessionAffinityConfig'), 'must not be set when session affinity is None'),
  );
}

const ONLY_REACHABLE = 'may only be set for externally-accessible services';

function validatePort(
  { name, targetPort }: ServicePort,
  all: readonly ServicePort[],
  at: FieldPath,
): readonly FieldError[] {
  const isTaken = all.filter((other) => other.name === name).length > 1;
  return errorsOf(
    !name && all.length > 1 && requiredField(at('name')),
    name && invalidBecause(at('name'), name, checkDnsLabel(name)),
    name && isTaken && duplicateField(at('name'), name),
    invalidBecause(at('targetPort'), targetPort, checkPortNumberOrName(targetPort)),
  );
}

function validateNodePort(
  { type, ports = [] }: ServiceSpec,
  index: number,
  at: FieldPath,
): readonly FieldError[] {
  const { nodePort, protocol } = ports[index] ?? {};
  if (!nodePort) return [];
  if (type !== 'NodePort')
    return [forbiddenField(at, `may not be used when \`type\` is '${type}'`)];
  const first = ports.findIndex((one) => one.nodePort === nodePort && one.protocol === protocol);
  return first < index ? [duplicateField(at, nodePort)] : [];
}

function validateExternalName(
  { externalName, clusterIP }: ServiceSpec,
  at: FieldPath,
): readonly FieldError[] {
  const name = externalName?.replace(/\.$/, '');
  return errorsOf(
    name
      ? invalidBecause(at('externalName'), externalName, checkDnsSubdomain(name))
      : requiredField(at('externalName')),
    clusterIP &&
      clusterIP !== 'None' &&
      forbiddenField(at('clusterIP'), 'may not be set for ExternalName services'),
  );
}

function validateClusterIp(
  { type, clusterIP, clusterIPs = [] }: ServiceSpec,
  at: FieldPath,
): readonly FieldError[] {
  const [first = clusterIP, ...more] = clusterIPs;
  const isHeadless = clusterIP === 'None';
  const path = at('clusterIP');
  const all = at('clusterIPs');
  return errorsOf(
    type === 'NodePort' &&
      isHeadless &&
      invalidField(path, clusterIP, "may not be set to 'None' for NodePort services"),
    clusterIP && !isHeadless && invalidBecause(path, clusterIP, checkIpv4(clusterIP)),
    first !== clusterIP && invalidField(all(0), first, 'must be the same as `clusterIP`'),
    more.length > 0 && invalidField(all, clusterIPs, 'must hold one address'),
  );
}
