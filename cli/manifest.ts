import { isAlias, isMap, isNode, isScalar, isSeq, LineCounter } from 'yaml';
import { isObject } from '../api/normalize.ts';
import { readYaml, type YamlDocument } from '../base/yaml-text.ts';

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

/** Lists are taken apart. Pure. */
export function parseManifest(file: string, text: string): Manifest {
  const lines = new LineCounter();
  const { documents, faults } = readYaml(text, lines);
  const parts = documents
    .filter(({ value }) => value !== null && value !== undefined)
    .map(({ document, value }) => partsOf({ file, document, lines }, value, ''));
  const unread = faults.map(({ offset, message }) => ({
    ...{ file, position: positionAt(lines, offset), subject: '', message },
  }));
  return joinManifests([{ objects: [], findings: unread }, ...parts]);
}

export const joinManifests = (parts: readonly Manifest[]): Manifest => ({
  objects: parts.flatMap(({ objects }) => objects),
  findings: parts.flatMap(({ findings }) => findings),
});

function positionAt(lines: LineCounter, offset: number): Position {
  const { line, col } = lines.linePos(offset);
  return { line: Math.max(line, 1), column: Math.max(col, 1) };
}

interface Written extends Pick<YamlDocument, 'document'> {
  readonly file: string;
  readonly lines: LineCounter;
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
  return joinManifests(
    body.items.map((item, index) => partsOf(written, item, joined(path, `items[${index}]`))),
  );
}

const isList = (
  body: Readonly<Record<string, unknown>>,
): body is Readonly<Record<string, unknown>> & { items: readonly unknown[] } =>
  typeof body.kind === 'string' && body.kind.endsWith('List') && Array.isArray(body.items);

const joined = (path: string, field: string) => [path, field].filter(Boolean).join('.');

/** A scalar is found at its value, everything else at its key; what isn't there, at what would hold it. */
function locate({ document, lines }: Written, { path, atKey }: { path: string; atKey: boolean }) {
  let node: unknown = document.contents;
  let offset = offsetOf(node) ?? 0;
  for (const step of stepsOf(path)) {
    const [value, place] = placeIn(isAlias(node) ? node.resolve(document) : node, step);
    if (place === undefined) break;
    node = value;
    offset = atKey || !isPresentScalar(node) ? place : (offsetOf(node) ?? place);
  }
  return positionAt(lines, offset);
}

/** The value, and the offset of its key, or of the list's item; undefined: it isn't there. */
function placeIn(node: unknown, step: string): readonly [unknown, number | undefined] {
  if (isSeq(node)) {
    const item = node.items[Number(step)];
    return [item, offsetOf(item)];
  }
  const pairs = isMap(node) ? node.items : [];
  const pair = pairs.find(({ key }) => isScalar(key) && String(key.value) === step);
  return [pair?.value, offsetOf(pair?.key)];
}

const isPresentScalar = (node: unknown) => isScalar(node) && node.value !== null;

const offsetOf = (node: unknown): number | undefined =>
  isNode(node) ? node.range?.[0] : undefined;

/** "metadata.labels[app.kubernetes.io/name]" → its three steps. */
const stepsOf = (path: string): readonly string[] =>
  [...path.matchAll(/\[([^\]]*)\]|([^.[\]]+)/g)].map(([, inside, plain]) => inside ?? plain ?? '');

/** "shop.yaml:14:18  Deployment shop/web  spec.replicas: …" */
export const formatFinding = ({ file, position, subject, message }: Finding): string =>
  [`${file}:${position.line}:${position.column}`, subject, message].filter(Boolean).join('  ');
