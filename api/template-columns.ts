import { type Column, text, wide } from './columns.ts';
import type { LabelSelector } from './label-selector.ts';
import type { PodTemplate } from './pod-spec.ts';
import { formatLabelSelector } from './selector.ts';

interface Templated {
  readonly spec: { readonly template: PodTemplate; readonly selector: LabelSelector };
}

/** What `-o wide` adds for everything that makes pods from a template. */
export const templateColumns: readonly Column<Templated>[] = [
  wide(text('Containers', 'Names of the containers.', (object) => each(object, 'name'))),
  wide(text('Images', 'Images of the containers.', (object) => each(object, 'image'))),
  wide(
    text('Selector', 'Which pods are its own.', ({ spec }) => formatLabelSelector(spec.selector)),
  ),
];

const each = ({ spec }: Templated, field: 'name' | 'image'): string =>
  spec.template.spec.containers.map((container) => container[field]).join(',');
