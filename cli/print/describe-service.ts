import type { EndpointSlice } from '../../api/endpoint-slice.ts';
import type { Service } from '../../api/service.ts';
import { pairs } from './describe-any.ts';
import type { Description, Fact } from './sections.ts';

/** `slices`: its endpoints. Pure. */
export function describeService(service: Service, slices: readonly EndpointSlice[]): Description {
  const rows = slices.flatMap(({ endpoints, ports = [] }) =>
    endpoints.map(({ addresses, conditions, targetRef, nodeName }) => [
      addresses.map((address) => ports.map(({ port }) => `${address}:${port}`).join(',')).join(','),
      conditions.ready ? 'yes' : 'no',
      targetRef?.name,
      nodeName,
    ]),
  );
  const ready = rows.filter(([, isReady]) => isReady === 'yes').length;
  const title = `ENDPOINTS (${ready} ready of ${rows.length})`;
  const headers = ['ADDRESS', 'READY', 'POD', 'NODE'];
  return { facts: serviceFacts(service), sections: [{ title, headers, rows }] };
}

function serviceFacts({ metadata, spec }: Service): readonly Fact[] {
  const ports = (spec.ports ?? []).map(({ name = '', port, protocol, targetPort }) =>
    `${port}/${protocol} → ${targetPort ?? port} ${name}`.trimEnd(),
  );
  return [
    ['type', spec.type],
    ['address', spec.clusterIP],
    ['points at', spec.externalName],
    ['name', `${metadata.name}.${metadata.namespace ?? ''}`],
    ['ports', ports.join('\n')],
    ['selects', pairs(spec.selector ?? {})],
    ['affinity', spec.sessionAffinity === 'None' ? undefined : spec.sessionAffinity],
  ];
}
