import { LineCounter } from 'yaml';
import { isObject } from '../api/normalize.ts';
import { UsageError } from '../base/flags.ts';
import { type Position, positionAt, positionOf, type WrittenYaml } from '../base/yaml-position.ts';
import { readYaml } from '../base/yaml-text.ts';

/** One object of a manifest, and where its fields are written. */
export interface ManifestObject {
  readonly file: string;
  readonly body: Readonly<Record<string, unknown>>;
  /** Of a field's path as the server names it: "spec.containers[0].image"; of the nearest that is there. */
  positionOf(path: string, options?: { readonly atKey?: boolean }): Position;
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

/** A text of one object or list. Throws UsageError with the place of what is wrong. */
export function parseOne(file: string, text: string): unknown {
  const lines = new LineCounter();
  const { documents, faults } = readYaml(text, lines);
  const [fault] = faults;
  const value = documents[0]?.value;
  if (fault === undefined && documents.length === 1 && typeof value === 'object') return value;
  const { offset, message } = fault ?? { offset: 0, message: 'is not one object or list' };
  const position = positionAt(lines, offset);
  throw new UsageError(formatFinding({ file, position, subject: '', message }));
}

export const joinManifests = (parts: readonly Manifest[]): Manifest => ({
  objects: parts.flatMap(({ objects }) => objects),
  findings: parts.flatMap(({ findings }) => findings),
});

interface Written extends WrittenYaml {
  readonly file: string;
}

/** A List stands for what is in it. */
function partsOf(written: Written, body: unknown, path: string): Manifest {
  const { file } = written;
  const at: ManifestObject['positionOf'] = (field, options) =>
    positionOf(written, { path: joined(path, field), ...options });
  if (!isObject(body)) {
    const message = 'is not an object: it needs apiVersion, kind and metadata';
    return { objects: [], findings: [{ file, position: at(''), subject: '', message }] };
  }
  if (!isList(body)) return { objects: [{ file, body, positionOf: at }], findings: [] };
  return joinManifests(
    body.items.map((item, index) => partsOf(written, item, joined(path, `items[${index}]`))),
  );
}

const isList = (
  body: Readonly<Record<string, unknown>>,
): body is Readonly<Record<string, unknown>> & { items: readonly unknown[] } =>
  typeof body.kind === 'string' && body.kind.endsWith('List') && Array.isArray(body.items);

const joined = (path: string, field: string) => [path, field].filter(Boolean).join('.');

/** "shop.yaml:14:18  Deployment shop/web  spec.replicas: …" */
export const formatFinding = ({ file, position, subject, message }: Finding): string =>
  [`${file}:${position.line}:${position.column}`, subject, message].filter(Boolean).join('  ');
