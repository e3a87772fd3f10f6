import {
  type Document,
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  LineCounter,
  type Pair,
  parseAllDocuments,
  type Tags,
} from 'yaml';
import { isObject } from '../api/normalize.ts';

/** One object of a manifest, and where its fields are written. */
export interface ManifestObject {
  readonly file: string;
  readonly body: Readonly<Record<string, unknown>>;
  /** Of a field's path as the server names it: "spec.containers[0].image"; of the nearest that is there. */
  positionOf(path: string, options?: { readonly atKey?: boolean }): Position;
}

/** Both from 1. */
interface Position {
  readonly line: number;
  readonly column: number;
}

/** Something to tell about a place in a file. */
export interface Finding {
  readonly file: string;
  readonly position: Position;
  /** "Deployment shop/web", or "" where there is no object yet. */
  readonly subject: string;
  readonly message: string;
}

export interface Manifest {
  readonly objects: readonly ManifestObject[];
  readonly findings: readonly Finding[];
}

/**
 * YAML 1.1 as Kubernetes' clients read it (JSON is a part of it): several documents, merge keys, Lists taken apart.
 * Dates and sexagesimal numbers stay strings; a key given twice is an error. Pure.
 */
export function parseManifest(file: string, text: string): Manifest {
  const lines = new LineCounter();
  const documents = parseAllDocuments(text, {
    ...{ version: '1.1', merge: true, uniqueKeys: true, prettyErrors: false },
    customTags: withoutDates,
    lineCounter: lines,
  });
  const parsed = ('empty' in documents ? [] : documents).map((document) =>
    parseDocument({ file, document, positionAt: positionIn(lines) }),
  );
  return {
    objects: parsed.flatMap(({ objects }) => objects),
    findings: parsed.flatMap(({ findings }) => findings),
  };
}

const withoutDates = (tags: Tags): Tags =>
  tags.filter((tag) => {
    if (typeof tag === 'string') return true;
    return tag.tag !== 'tag:yaml.org,2002:timestamp' && !('format' in tag && tag.format === 'TIME');
  });

type PositionAt = (offset: number) => Position;

const positionIn =
  (lines: LineCounter): PositionAt =>
  (offset) => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(line, 1), column: Math.max(col, 1) };
  };

interface Written {
  readonly file: string;
  readonly document: Document.Parsed;
  readonly positionAt: PositionAt;
}

function parseDocument(written: Written): Manifest {
  const { file, document, positionAt } = written;
  if (document.errors.length > 0) {
    const findings = document.errors.map(({ pos, message }) => ({
      ...{ file, position: positionAt(pos[0]), subject: '' },
      message: inWords(message),
    }));
    return { objects: [], findings };
  }
  const body = contentOf(document);
  if (body instanceof Error) {
    const { message } = body;
    return { objects: [], findings: [{ file, position: positionAt(0), subject: '', message }] };
  }
  if (body === null || body === undefined) return { objects: [], findings: [] };
  return partsOf(written, body, '');
}

/** Aliases of aliases can stand for more than fits into memory. */
function contentOf(document: Document.Parsed): unknown {
  try {
    return document.toJS({ maxAliasCount: 100 });
  } catch {
    return new Error('its aliases stand for too much');
  }
}

/** A List stands for what is in it. */
function partsOf(written: Written, body: unknown, path: string): Manifest {
  const { file } = written;
  const positionOf: ManifestObject['positionOf'] = (field, { atKey = false } = {}) =>
    locate(written, { path: joined(path, field), atKey });
  if (!isObject(body)) {
    const message = 'is not an object: it needs apiVersion, kind and metadata';
    return { objects: [], findings: [{ file, position: positionOf(''), subject: '', message }] };
  }
  if (!isList(body)) return { objects: [{ file, body, positionOf }], findings: [] };
  const parts = body.items.map((item, index) =>
    partsOf(written, item, joined(path, `items[${index}]`)),
  );
  return {
    objects: parts.flatMap(({ objects }) => objects),
    findings: parts.flatMap(({ findings }) => findings),
  };
}

const isList = (
  body: Readonly<Record<string, unknown>>,
): body is Readonly<Record<string, unknown>> & { items: readonly unknown[] } =>
  typeof body.kind === 'string' && body.kind.endsWith('List') && Array.isArray(body.items);

const joined = (path: string, field: string) => [path, field].filter(Boolean).join('.');

const inWords = (message: string) =>
  message === 'Map keys must be unique' ? 'this key was given before in the same map' : message;

/** A scalar is found at its value, everything else at its key; what isn't there, at what would hold it. */
function locate(
  { document, positionAt }: Written,
  { path, atKey }: { path: string; atKey: boolean },
): Position {
  let node: unknown = document.contents;
  let offset = offsetOf(node) ?? 0;
  for (const step of stepsOf(path)) {
    const place = placeIn(isAlias(node) ? node.resolve(document) : node, step);
    if (place === undefined) break;
    node = place.value;
    offset = atKey || !isPresentScalar(node) ? place.offset : (offsetOf(node) ?? place.offset);
  }
  return positionAt(offset);
}

interface Place {
  readonly value: unknown;
  /** Of the key, or of the list's item. */
  readonly offset: number;
}

function placeIn(node: unknown, step: string): Place | undefined {
  const [value, marker] = isSeq(node)
    ? [node.items[Number(step)], node.items[Number(step)]]
    : isMap(node)
      ? valueAndKey(node.items, step)
      : [];
  const offset = offsetOf(marker);
  return offset === undefined ? undefined : { value, offset };
}

function valueAndKey(pairs: readonly Pair[], step: string): readonly unknown[] {
  const pair = pairs.find(({ key }) => isScalar(key) && String(key.value) === step);
  return [pair?.value, pair?.key];
}

const isPresentScalar = (node: unknown) => isScalar(node) && node.value !== null;

const offsetOf = (node: unknown): number | undefined =>
  isNode(node) ? node.range?.[0] : undefined;

/** "metadata.labels[app.kubernetes.io/name]" → its three steps. */
const stepsOf = (path: string): readonly string[] =>
  [...path.matchAll(/\[([^\]]*)\]|([^.[\]]+)/g)].map(
    ([, inBrackets, plain]) => inBrackets ?? plain ?? '',
  );

/** "shop.yaml:14:18  Deployment shop/web  spec.replicas: …" */
export const formatFinding = ({ file, position, subject, message }: Finding): string =>
  [`${file}:${position.line}:${position.column}`, subject, message].filter(Boolean).join('  ');
