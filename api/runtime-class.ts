import { text } from './columns.ts';
import { unchanged } from './immutable.ts';
import { type Kind, type KubeObject, kind } from './kind.ts';
import { checkDnsLabel } from './names.ts';
import * as s from './schema.ts';

const fields = {
  handler: s
    .str({ check: checkDnsLabel })
    .doc('The runtime, as nodes name it: --runtime-handler NAME=PATH of their agents.')
    .required(),
  ...s.unsupportedFields('overhead scheduling'),
};

export type RuntimeClass = KubeObject<typeof fields>;

export const RuntimeClass: Kind<typeof fields> = kind({
  group: 'node.k8s.io',
  kind: 'RuntimeClass',
  plural: 'runtimeclasses',
  namespaced: false,
  about: 'A name for a container runtime that nodes have beside the usual one.',
  fields,
  validateUpdate: (next, previous, at) => unchanged(next.handler, previous.handler, at('handler')),
  columns: [text('Handler', 'The runtime, as nodes name it.', ({ handler }) => handler)],
});
