import { type Cursor, expect, formatAll, parseOperand, take } from '../api/json-path.ts';

/**
 * kubectl's dialect of JSONPath: text around {paths}, {"quoted text"}, {range PATH}…{end}. Gives what prints a value.
 * Throws UsageError.
 */
export function parseTemplate(text: string): (value: unknown) => string {
  return parseParts({ text, at: 0 }, false);
}

function parseParts(cursor: Cursor, inRange: boolean): (value: unknown) => string {
  const parts: ((value: unknown) => string)[] = [];
  while (cursor.at < cursor.text.length) {
    const plain = take(cursor, /[^{]+/y)?.[0];
    if (plain !== undefined) {
      parts.push(() => plain);
      continue;
    }
    take(cursor, /\{\s*/y);
    if (inRange && take(cursor, /end\s*\}/y)) break;
    parts.push(parseAction(cursor));
  }
  return (value) => parts.map((part) => part(value)).join('');
}

/** What is between braces; the first is read already. */
function parseAction(cursor: Cursor): (value: unknown) => string {
  if (take(cursor, /range\s+/y)) {
    const path = parseOperand(cursor);
    expect(cursor, /\s*\}/y, '}');
    const body = parseParts(cursor, true);
    return (value) => path(value).map(body).join('');
  }
  const path = parseOperand(cursor);
  expect(cursor, /\s*\}/y, '}');
  return (value) => formatAll(path(value));
}
