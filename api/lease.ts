import { text } from './columns.ts';
import { type Kind, type KubeObject, kind } from './kind.ts';
import { defaulted, int, obj, str, time, unsupported } from './schema.ts';

const fields = {
  spec: defaulted(
    obj({
      holderIdentity: str({ about: 'Who holds it; empty: nobody.' }),
      leaseDurationSeconds: int({ min: 1, about: 'Others wait so long after renewTime.' }),
      acquireTime: time(),
      renewTime: time(),
      leaseTransitions: int({ min: 0, about: 'Times that it changed hands.' }),
      strategy: unsupported(),
      preferredHolder: unsupported(),
    }),
    {},
  ),
};

export type Lease = KubeObject<typeof fields>;

export const Lease: Kind<typeof fields> = kind({
  group: 'coordination.k8s.io',
  kind: 'Lease',
  about: 'Held by whoever renews it: elections, and signs of life of nodes.',
  fields,
  columns: [text('Holder', 'Who holds it.', ({ spec }) => spec.holderIdentity)],
});
