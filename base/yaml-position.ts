import { isAlias, isMap, isNode, isScalar, isSeq, type LineCounter } from 'yaml';
import type { YamlDocument } from './yaml-text.ts';

/** Both from 1. */
export type Position = Readonly<{ line: number; column: number }>;

export type WrittenYaml = Pick<YamlDocument, 'document'> & Readonly<{ lines: LineCounter }>;

/**
 * Of a field's path, as errors name it: "spec.containers[0].image". A scalar is found at its value, everything else at
 * its key; what isn't there, at what would hold it.
 */
export function positionOf(
  { document, lines }: WrittenYaml,
  { path, atKey = false }: { readonly path: string; readonly atKey?: boolean },
): Position {
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

export function positionAt(lines: LineCounter, offset: number): Position {
  const { line, col } = lines.linePos(offset);
  return { line: Math.max(line, 1), column: Math.max(col, 1) };
}

/** "metadata.labels[app.kubernetes.io/name]" → its three steps. */
const stepsOf = (path: string): readonly string[] =>
  [...path.matchAll(/\[([^\]]*)\]|([^.[\]]+)/g)].map(
    ([, inBrackets, plain]) => inBrackets ?? plain ?? '',
  );

/** Offsets are of a key, or of a list's item; undefined: it isn't there. */
function placeIn(node: unknown, step: string) {
  if (isSeq(node)) {
    const item = node.items[Number(step)];
    return [item, offsetOf(item)] as const;
  }
  const pairs = isMap(node) ? node.items : [];
  const pair = pairs.find(({ key }) => isScalar(key) && String(key.value) === step);
  return [pair?.value, offsetOf(pair?.key)] as const;
}

const isPresentScalar = (node: unknown) => isScalar(node) && node.value !== null;

const offsetOf = (node: unknown) => (isNode(node) ? node.range?.[0] : undefined);
