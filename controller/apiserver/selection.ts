import type { AnyObject, Kind } from '../../api/kind.ts';
import { own } from '../../api/normalize.ts';
import * as selector from '../../api/selector.ts';
import { StatusError } from '../../api/status.ts';
import { badRequest, type ListOptions } from './request-options.ts';

/** Which objects of the kind a list, a watch or a deletion of many is about. */
export type Selection = (object: AnyObject) => boolean;

export function selectionOf(
  kind: Kind,
  options: Pick<ListOptions, 'labelSelector' | 'fieldSelector'>,
): Selection {
  const labels = parsed(() => selector.parseLabelSelector(options.labelSelector));
  const terms = parsed(() => selector.parseFieldSelector(options.fieldSelector)).map((term) => ({
    ...term,
    of: fieldReader(kind, term.path),
  }));
  return (object) =>
    terms.every(({ of, equal, value }) => (of(object) === value) === equal) &&
    selector.matchesLabels(labels, object.metadata.labels);
}

function parsed<T>(parse: () => T): T {
  try {
    return parse();
  } catch (cause) {
    if (!(cause instanceof selector.SelectorError)) throw cause;
    throw new StatusError('BadRequest', cause.message, { cause });
  }
}

function fieldReader(kind: Kind, path: string): (object: AnyObject) => string {
  if (path === 'metadata.name') return ({ metadata }) => metadata.name;
  if (path === 'metadata.namespace') return ({ metadata }) => metadata.namespace ?? '';
  const field = own(kind.selectableFields, path);
  if (!field) throw badRequest(`field label not supported: ${path}`);
  return (object) => field(object) ?? '';
}
