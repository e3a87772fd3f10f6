import { checkLabels } from './check-metadata.ts';
import * as field from './field-error.ts';
import { checkDnsLabel, checkDnsSubdomain, checkIpv4, checkPortNumberOrName } from './names.ts';
import type { ServicePort, ServiceSpec } from './service.ts';

export const validateServiceSpec: field.Rule<ServiceSpec> = (spec, at) => {
  const { type, ports = [], clusterIP, selector, externalTrafficPolicy } = spec;
  const mayLackPorts = type === 'ExternalName' || clusterIP === 'None';
  const policyAt = at('externalTrafficPolicy');
  return field.errorsOf(
    ports.length === 0 && !mayLackPorts && field.required(at('ports')),
    field.errorsOfEach(ports, at('ports'), validatePort(spec)),
    externalTrafficPolicy &&
      type !== 'NodePort' &&
      field.invalid(policyAt, externalTrafficPolicy, ONLY_REACHABLE),
    checkLabels(selector, at('selector')),
    type === 'ExternalName' ? validateExternalName(spec, at) : validateClusterIp(spec, at),
    spec.sessionAffinity === 'None' &&
      spec.sessionAffinityConfig !== undefined &&
      field.forbidden(at('sessionAffinityConfig'), 'must not be set when session affinity is None'),
  );
};

const ONLY_REACHABLE = 'may only be set for externally-accessible services';

const validatePort =
  ({ type, ports = [] }: ServiceSpec): field.Rule<ServicePort> =>
  (port, at) => {
    const { name, targetPort, nodePort, protocol } = port;
    const sameName = ports.filter((other) => other.name === name);
    const first = ports.find((one) => one.nodePort === nodePort && one.protocol === protocol);
    return field.errorsOf(
      !name && ports.length > 1 && field.required(at('name')),
      name && field.check(at('name'), name, checkDnsLabel),
      name && sameName.length > 1 && field.duplicate(at('name'), name),
      field.check(at('targetPort'), targetPort, checkPortNumberOrName),
      nodePort &&
        type !== 'NodePort' &&
        field.forbidden(at('nodePort'), `may not be used when \`type\` is '${type}'`),
      nodePort &&
        type === 'NodePort' &&
        first !== port &&
        field.duplicate(at('nodePort'), nodePort),
    );
  };

const validateExternalName: field.Rule<ServiceSpec> = ({ externalName, clusterIP }, at) => {
  const name = externalName?.replace(/\.$/, '');
  return field.errorsOf(
    name
      ? field.check(at('externalName'), externalName, () => checkDnsSubdomain(name))
      : field.required(at('externalName')),
    clusterIP &&
      clusterIP !== 'None' &&
      field.forbidden(at('clusterIP'), 'may not be set for ExternalName services'),
  );
};

const validateClusterIp: field.Rule<ServiceSpec> = ({ type, clusterIP, clusterIPs = [] }, at) => {
  const [first = clusterIP, ...more] = clusterIPs;
  const isHeadless = clusterIP === 'None';
  const path = at('clusterIP');
  const all = at('clusterIPs');
  return field.errorsOf(
    type === 'NodePort' &&
      isHeadless &&
      field.invalid(path, clusterIP, "may not be set to 'None' for NodePort services"),
    clusterIP && !isHeadless && field.check(path, clusterIP, checkIpv4),
    first !== clusterIP && field.invalid(all(0), first, 'must be the same as `clusterIP`'),
    more.length > 0 && field.invalid(all, clusterIPs, 'must hold one address'),
  );
};
