import { text } from './columns.ts';
import { type Kind, type KubeObject, kind } from './kind.ts';
import * as s from './schema.ts';

const fields = {
  spec: s
    .obj({
      holderIdentity: s.str().doc('Who holds it; empty: nobody.'),
      leaseDurationSeconds: s.int({ min: 1 }).doc('Others wait so long after renewTime.'),
      acquireTime: s.microTime(),
      renewTime: s.microTime(),
      leaseTransitions: s.int({ min: 0 }).doc('Times that it changed hands.'),
      strategy: s.unsupported(),
      preferredHolder: s.unsupported(),
    })
    .default({}),
};

export type Lease = KubeObject<typeof fields>;

export const Lease: Kind<typeof fields> = kind({
  group: 'coordination.k8s.io',
  kind: 'Lease',
  about: 'Held by whoever renews it: elections, and signs of life of nodes.',
  fields,
  columns: [text('Holder', 'Who holds it.', ({ spec }) => spec.holderIdentity)],
});
