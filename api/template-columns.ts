import type { Column } from './kind.ts';
import type { LabelSelector } from './label-selector.ts';
import type { PodTemplate } from './pod-spec.ts';
import { formatLabelSelector } from './selector.ts';

interface Templated {
  readonly spec: { readonly template: PodTemplate; readonly selector: LabelSelector };
}

/** What `-o wide` adds for everything that makes pods from a template. */
export const templateColumns: readonly Column<Templated>[] = [
  {
    name: 'Containers',
    type: 'string',
    wide: true,
    about: 'Names of the containers.',
    of: ({ spec }) => spec.template.spec.containers.map(({ name }) => name).join(','),
  },
  {
    name: 'Images',
    type: 'string',
    wide: true,
    about: 'Images of the containers.',
    of: ({ spec }) => spec.template.spec.containers.map(({ image }) => image).join(','),
  },
  {
    name: 'Selector',
    type: 'string',
    wide: true,
    about: 'Which pods are its own.',
    of: ({ spec }) => formatLabelSelector(spec.selector),
  },
];
