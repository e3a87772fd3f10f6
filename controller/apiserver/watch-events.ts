import { type AnyObject, apiVersionOf, type Kind } from '../../api/kind.ts';
import type { ObjectChange } from '../store/objects.ts';
import type { Format } from './media-type.ts';
import type { Selection } from './selection.ts';
import { type Encoding, encodeOne } from './table.ts';

/** What a watch sends: one JSON document per line. */

export type WatchEvent = Readonly<{ type: 'ADDED' | 'MODIFIED' | 'DELETED'; object: AnyObject }>;

/** A change as a watch with this selection sees it: an object that begins to match is added, one that ends is deleted. */
export function eventOf(change: ObjectChange, selects: Selection): WatchEvent | undefined {
  const { object, previous } = change;
  const was = previous !== undefined && selects(previous);
  const is = object !== undefined && selects(object);
  if (is) return { type: was ? 'MODIFIED' : 'ADDED', object };
  if (!was) return undefined;
  const last = object === undefined ? previous : lastMatching(change, previous);
  return { type: 'DELETED', object: last };
}

export const encodeEvent = ({ type, object }: WatchEvent, encoding: Encoding): Buffer =>
  Buffer.from(`{"type":"${type}","object":${encodeOne(object, encoding)}}\n`);

/** Encodes as {@link encodeEvent}, but once for all watches that are told of the same change, one behind the other. */
export type SharedEncoder = (change: ObjectChange, event: WatchEvent, encoding: Encoding) => Buffer;

export function sharedEncoder(): SharedEncoder {
  let current: ObjectChange | undefined;
  const variants = new Map<string, Buffer>();
  return (change, event, encoding) => {
    if (change !== current) variants.clear();
    current = change;
    const { format } = encoding;
    const include = format.as === 'table' ? format.includeObject : '';
    const variant = `${event.type} ${format.as} ${include}`;
    return variants.getOrInsertComputed(variant, () => encodeEvent(event, encoding));
  };
}

/** "You have seen everything up to here." */
export function encodeBookmark(
  { kind, format }: Pick<Encoding, 'kind' | 'format'>,
  revision: number,
  annotations?: Readonly<Record<string, string>>,
): string {
  const metadata = { resourceVersion: String(revision), creationTimestamp: null, annotations };
  return `${JSON.stringify({ type: 'BOOKMARK', object: { ...typeMeta(kind, format), metadata } })}\n`;
}

export const encodeError = (status: object): string =>
  `${JSON.stringify({ type: 'ERROR', object: status })}\n`;

/** Ends a WatchList's initial events (KEP-3157). */
export const initialEventsEnd = { 'k8s.io/initial-events-end': 'true' };

function typeMeta(kind: Kind, format: Format): object {
  if (format.as === 'object') return { kind: kind.kind, apiVersion: apiVersionOf(kind) };
  if (format.as === 'metadata')
    return { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1' };
  return { kind: 'Table', apiVersion: 'meta.k8s.io/v1', columnDefinitions: [], rows: [] };
}

/** The last state that matched, with the revision at which it ended: a client resumes from there. */
function lastMatching(change: ObjectChange, previous: AnyObject): AnyObject {
  const metadata = { ...previous.metadata, resourceVersion: String(change.revision) };
  return { ...previous, metadata };
}
