import { checkLabels } from './check-metadata.ts';
import * as field from './field-error.ts';
import { errorsOf, errorsOfEach, type FieldErrors, type FieldPath } from './field-error.ts';
import { checkDnsLabel, checkDnsSubdomain, checkIpv4, checkPortNumberOrName } from './names.ts';
import type { ServicePort, ServiceSpec } from './service.ts';

export function validateServiceSpec(spec: ServiceSpec, at: FieldPath): FieldErrors {
  const { type, ports = [], clusterIP, selector, externalTrafficPolicy } = spec;
  const mayLackPorts = type === 'ExternalName' || clusterIP === 'None';
  const policyAt = at('externalTrafficPolicy');
  return errorsOf(
    ports.length === 0 && !mayLackPorts && field.required(at('ports')),
    errorsOfEach(ports, at('ports'), (port, path, index) => [
      ...validatePort(port, ports, path),
      ...validateNodePort(spec, index, path('nodePort')),
    ]),
    externalTrafficPolicy &&
      type !== 'NodePort' &&
      field.invalid(policyAt, externalTrafficPolicy, ONLY_REACHABLE),
    checkLabels(selector, at('selector')),
    type === 'ExternalName' ? validateExternalName(spec, at) : validateClusterIp(spec, at),
    spec.sessionAffinity === 'None' &&
      spec.sessionAffinityConfig !== undefined &&
      field.forbidden(at('sessionAffinityConfig'), 'must not be set when session affinity is None'),
  );
}

const ONLY_REACHABLE = 'may only be set for externally-accessible services';

function validatePort(
  { name, targetPort }: ServicePort,
  all: readonly ServicePort[],
  at: FieldPath,
): FieldErrors {
  const isTaken = all.filter((other) => other.name === name).length > 1;
  return errorsOf(
    !name && all.length > 1 && field.required(at('name')),
    name && field.check(at('name'), name, checkDnsLabel),
    name && isTaken && field.duplicate(at('name'), name),
    field.check(at('targetPort'), targetPort, checkPortNumberOrName),
  );
}

function validateNodePort(
  { type, ports = [] }: ServiceSpec,
  index: number,
  at: FieldPath,
): FieldErrors {
  const { nodePort, protocol } = ports[index] ?? {};
  if (!nodePort) return [];
  if (type !== 'NodePort')
    return [field.forbidden(at, `may not be used when \`type\` is '${type}'`)];
  const first = ports.findIndex((one) => one.nodePort === nodePort && one.protocol === protocol);
  return first < index ? [field.duplicate(at, nodePort)] : [];
}

function validateExternalName(
  { externalName, clusterIP }: ServiceSpec,
  at: FieldPath,
): FieldErrors {
  const name = externalName?.replace(/\.$/, '');
  return errorsOf(
    name
      ? field.check(at('externalName'), externalName, () => checkDnsSubdomain(name))
      : field.required(at('externalName')),
    clusterIP &&
      clusterIP !== 'None' &&
      field.forbidden(at('clusterIP'), 'may not be set for ExternalName services'),
  );
}

function validateClusterIp(
  { type, clusterIP, clusterIPs = [] }: ServiceSpec,
  at: FieldPath,
): FieldErrors {
  const [first = clusterIP, ...more] = clusterIPs;
  const isHeadless = clusterIP === 'None';
  const path = at('clusterIP');
  const all = at('clusterIPs');
  return errorsOf(
    type === 'NodePort' &&
      isHeadless &&
      field.invalid(path, clusterIP, "may not be set to 'None' for NodePort services"),
    clusterIP && !isHeadless && field.check(path, clusterIP, checkIpv4),
    first !== clusterIP && field.invalid(all(0), first, 'must be the same as `clusterIP`'),
    more.length > 0 && field.invalid(all, clusterIPs, 'must hold one address'),
  );
}
