import { text } from './columns.ts';
import { shortList } from './endpoint-slice.ts';
import { type Kind, type KubeObject, kind } from './kind.ts';
import { objectReferenceFields } from './object-reference.ts';
import * as s from './schema.ts';

const addresses = s.list(
  s.obj({
    ip: s.str().required(),
    hostname: s.str(),
    nodeName: s.str(),
    targetRef: s.obj(objectReferenceFields).doc('The pod.'),
  }),
);

const fields = {
  subsets: s
    .list(
      s.obj({
        addresses: addresses.doc('Traffic goes here.'),
        notReadyAddresses: addresses.doc('And not here.'),
        ports: s.list(
          s.obj({ name: s.str(), port: s.int().required(), protocol: s.str().default('TCP') }),
        ),
      }),
    )
    .default([]),
};

export type Endpoints = KubeObject<typeof fields>;

/** What was before EndpointSlices, and is made of them: to be read only. */
export const Endpoints: Kind<typeof fields> = kind({
  kind: 'Endpoints',
  plural: 'endpoints',
  shortNames: ['ep'],
  verbs: ['get', 'list'],
  about: 'The addresses behind a Service, for clients that know no EndpointSlices.',
  fields,
  columns: [text('Endpoints', 'Some of the addresses.', ({ subsets }) => shown(subsets))],
});

const shown = (subsets: Endpoints['subsets']): string =>
  shortList(
    subsets.flatMap(({ addresses = [], ports = [] }) =>
      ports.flatMap(({ port }) => addresses.map(({ ip }) => `${ip}:${port}`)),
    ),
    '<none>',
  );
