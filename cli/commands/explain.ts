import type { JsonSchema } from '../../api/json-schema.ts';
import { apiVersionOf, type Kind } from '../../api/kind.ts';
import { didYouMean } from '../../base/closest.ts';
import { on, UsageError } from '../../base/flags.ts';
import type { Cli } from '../cli.ts';
import { CliError } from '../cli-error.ts';
import { defineVerb } from '../define-verb.ts';
import { findKind } from '../kind-lookup.ts';
import { layoutOf } from '../print/table.ts';

export const defineExplain = defineVerb({
  words: { '<what>': 'deploy · deploy.spec.strategy' },
  flags: { recursive: on('names and types of all that is within it') },
  async run(cli, [word = ''], { recursive }) {
    const [name = '', ...path] = word.split('.');
    const kind = await findKind(cli.api, name);
    const schema = path.reduce(fieldOf, await schemaOf(cli, kind));
    const facts = [
      ['KIND', kind.kind],
      ['VERSION', apiVersionOf(kind)],
      ...(path.length > 0 ? [['FIELD', `${path.join('.')} <${typeName(schema)}>`]] : []),
    ];
    for (const [title = '', value] of facts) cli.out(`${title.padEnd(10)}${value}`);
    const { width = 80 } = layoutOf(cli.io);
    const describe = (field: JsonSchema) => aboutLines(field, Math.min(width, 100) - 4);
    const about = describe(schema);
    if (about.length > 0) cli.out(`\n${about.join('\n')}`);
    const fields = fieldLines(schema, recursive ? namesOnly : describe);
    if (fields.length > 0) cli.out(`\nFIELDS\n${fields.map((line) => `  ${line}`).join('\n')}`);
  },
});

/** What the server says of a kind. */
async function schemaOf({ api }: Cli, kind: Kind): Promise<JsonSchema> {
  const path = `/openapi/v3/${kind.group === '' ? 'api' : 'apis'}/${apiVersionOf(kind)}`;
  type Told = JsonSchema & { 'x-kubernetes-group-version-kind'?: readonly Pick<Kind, 'kind'>[] };
  type Document = { components: { schemas: Readonly<Record<string, Told>> } };
  const { body } = await api.send<Document>({ path });
  const found = Object.values(body.components.schemas).find((schema) =>
    schema['x-kubernetes-group-version-kind']?.some((one) => one.kind === kind.kind),
  );
  if (found === undefined) throw new CliError(`the server describes no ${kind.kind}`);
  return found;
}

function fieldOf(schema: JsonSchema, name: string): JsonSchema {
  const { properties = {} } = within(schema);
  if (Object.hasOwn(properties, name)) return properties[name] ?? {};
  const names = Object.keys(properties);
  const all = names.length > 0 ? `there are ${names.join(', ')}` : 'it has no fields';
  throw new UsageError(`there is no field "${name}"; ${didYouMean(name, names, all)}`);
}

/** Of a list or a map, what is in it. */
function within(schema: JsonSchema): JsonSchema {
  const inner = schema.items ?? schema.additionalProperties;
  return typeof inner === 'object' ? within(inner) : schema;
}

function typeName({ type, items, additionalProperties }: JsonSchema): string {
  if (items) return `[]${typeName(items)}`;
  if (typeof additionalProperties === 'object')
    return `map[string]${typeName(additionalProperties)}`;
  return type === undefined || type === 'object' ? 'Object' : type;
}

function aboutLines(schema: JsonSchema, width: number): readonly string[] {
  const { description = '', default: fallback } = schema;
  const values = schema.enum ?? within(schema).enum;
  const texts = [
    description,
    values ? `One of ${values.join(', ')}.` : '',
    fallback === undefined ? '' : `Default: ${JSON.stringify(fallback)}`,
  ];
  const line = new RegExp(`\\S.{0,${width - 2}}\\S(?=\\s|$)|\\S+`, 'g');
  return texts.flatMap((text) => text.match(line) ?? []);
}

type Describe = (field: JsonSchema) => readonly string[];

const namesOnly: Describe = (field) => fieldLines(field, namesOnly);

/** Each field's name and type, and below it what is said of it. */
function fieldLines(schema: JsonSchema, describe: Describe): readonly string[] {
  const { properties = {}, required = [] } = within(schema);
  const fields = Object.entries(properties).sort(([a], [b]) => (a < b ? -1 : 1));
  return fields.flatMap(([name, field]) => [
    `${name} <${typeName(field)}>${required.includes(name) ? ' required' : ''}`,
    ...describe(field).map((line) => `  ${line}`),
  ]);
}
