import { isObject, own } from './normalize.ts';

/** Finds values in JSON, in their order. */
type Reader = (value: unknown) => readonly unknown[];

/**
 * The simple JSONPaths of custom resources' columns: `.spec.rules[*].host`, `.metadata.labels['app']`,
 * `.status.conditions[?(@.type=="Ready")].status`. undefined: it is none.
 */
export function parseJsonPath(path: string): Reader | undefined {
  const steps = stepsOf(path);
  if (!steps) return undefined;
  return (value) => steps.reduce<readonly unknown[]>((found, step) => found.flatMap(step), [value]);
}

/** The fields that a path of nothing but names goes through: ".spec.replicas". undefined: it is no such path. */
export const parseFieldPath = (path: string): readonly string[] | undefined =>
  /^(\.[\w-]+)+$/.test(path) ? path.slice(1).split('.') : undefined;

const step =
  /\.(?<name>(?:[^.[\]\\]|\\.)+)|\['(?<quoted>[^']+)'\]|\[(?<at>\d+|\*)\]|\[\?\(@(?<path>(?:\.[\w-]+)+)\s*==\s*["'](?<text>[^"']*)["']\)\]/y;

function stepsOf(path: string): readonly Reader[] | undefined {
  const matches = [...path.matchAll(new RegExp(step, 'gy'))];
  if (path === '' || matches.map(([text]) => text).join('') !== path) return undefined;
  return matches.map(({ groups = {} }) => {
    const { name, quoted, at, path: inner = '', text } = groups;
    const field = quoted ?? name?.replace(/\\(.)/g, '$1');
    if (field !== undefined) return (value) => fieldOf(value, field);
    if (text === undefined) return (value) => itemsOf(value, at);
    const names = parseFieldPath(inner) ?? [];
    return (value) => itemsOf(value, '*').filter((item) => readField(item, names) === text);
  });
}

/** What is behind these names, if anything. */
export const readField = (value: unknown, names: readonly string[]): unknown =>
  names.reduce<unknown>((inner, name) => fieldOf(inner, name)[0], value);

const fieldOf = (value: unknown, name: string): readonly unknown[] => {
  const inner = isObject(value) ? own(value, name) : undefined;
  return inner === undefined ? [] : [inner];
};

function itemsOf(value: unknown, at: string | undefined): readonly unknown[] {
  if (!Array.isArray(value)) return [];
  return at === '*' ? value : value.slice(Number(at), Number(at) + 1);
}
