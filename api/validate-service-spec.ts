import { checkLabels, invalidBecause } from './check-metadata.ts';
import {
  duplicateField,
  type FieldError,
  type FieldPath,
  forbiddenField,
  invalidField,
  requiredField,
} from './field-error.ts';
import { checkDnsLabel, checkDnsSubdomain, checkIpv4 } from './names.ts';
import type { ServicePort, ServiceSpec } from './service.ts';
import { checkPortNumberOrName } from './validate-probe.ts';

export function validateServiceSpec(spec: ServiceSpec, at: FieldPath): readonly FieldError[] {
  const { type, ports = [], clusterIP, selector, externalTrafficPolicy } = spec;
  const mayLackPorts = type === 'ExternalName' || clusterIP === 'None';
  return [
    ...(ports.length === 0 && !mayLackPorts ? [requiredField(at('ports'))] : []),
    ...ports.flatMap((port, index) => [
      ...validatePort(port, ports, at('ports')(index)),
      ...validateNodePort(spec, index, at('ports')(index)('nodePort')),
    ]),
    ...(externalTrafficPolicy && type !== 'NodePort'
      ? [
          invalidField(
            at('externalTrafficPolicy'),
            externalTrafficPolicy,
            'may only be set for externally-accessible services',
          ),
        ]
      : []),
    ...checkLabels(selector, at('selector')),
    ...(type === 'ExternalName' ? validateExternalName(spec, at) : validateClusterIp(spec, at)),
    ...validateAffinity(spec, at('sessionAffinityConfig')),
  ];
}

function validatePort(
  { name, targetPort }: ServicePort,
  all: readonly ServicePort[],
  at: FieldPath,
): readonly FieldError[] {
  const target = invalidBecause(at('targetPort'), targetPort, checkPortNumberOrName(targetPort));
  if (!name) return all.length > 1 ? [requiredField(at('name')), ...target] : target;
  const isTaken = all.filter((other) => other.name === name).length > 1;
  return [
    ...invalidBecause(at('name'), name, checkDnsLabel(name)),
    ...(isTaken ? [duplicateField(at('name'), name)] : []),
    ...target,
  ];
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
  return [
    ...(name
      ? invalidBecause(at('externalName'), externalName, checkDnsSubdomain(name))
      : [requiredField(at('externalName'))]),
    ...(clusterIP && clusterIP !== 'None'
      ? [forbiddenField(at('clusterIP'), 'may not be set for ExternalName services')]
      : []),
  ];
}

function validateClusterIp(
  { type, clusterIP, clusterIPs = [] }: ServiceSpec,
  at: FieldPath,
): readonly FieldError[] {
  const [first = clusterIP, ...more] = clusterIPs;
  const isAddress = clusterIP && clusterIP !== 'None';
  return [
    ...(type === 'NodePort' && clusterIP === 'None'
      ? [invalidField(at('clusterIP'), clusterIP, "may not be set to 'None' for NodePort services")]
      : []),
    ...(isAddress ? invalidBecause(at('clusterIP'), clusterIP, checkIpv4(clusterIP)) : []),
    ...(first === clusterIP
      ? []
      : [invalidField(at('clusterIPs')(0), first, 'must be the same as `clusterIP`')]),
    ...(more.length > 0
      ? [invalidField(at('clusterIPs'), clusterIPs, 'must hold one address')]
      : []),
  ];
}

function validateAffinity(
  { sessionAffinity, sessionAffinityConfig }: ServiceSpec,
  at: FieldPath,
): readonly FieldError[] {
  return sessionAffinity === 'None' && sessionAffinityConfig !== undefined
    ? [forbiddenField(at, 'must not be set when session affinity is None')]
    : [];
}
