import { checkLabels } from './check-metadata.ts';
import * as field from './field-error.ts';
import { checkLabelValue, checkQualifiedName } from './names.ts';
import { own } from './normalize.ts';
import * as s from './schema.ts';

/** metav1.LabelSelector. Both parts must hold; an empty selector matches everything. */
export const labelSelectorFields = {
  matchLabels: s.map(s.str()).doc('Labels that must have exactly these values.'),
  matchExpressions: s
    .list(
      s.obj({
        key: s.str().doc('The label.').required(),
        operator: s
          .str({ values: ['In', 'NotIn', 'Exists', 'DoesNotExist'] })
          .doc('Relation to values.')
          .required(),
        values: s.list(s.str()).doc('With In and NotIn only.'),
      }),
    )
    .doc('Conditions that must all hold.'),
};

export type LabelSelector = s.ObjectOf<typeof labelSelectorFields>;

/** One condition on a label; a selector is a list of them that must all hold. */
interface Requirement {
  readonly key: string;
  readonly operator: 'Exists' | 'DoesNotExist' | 'In' | 'NotIn' | 'Gt' | 'Lt';
  /** None with Exists and DoesNotExist. */
  readonly values: readonly string[];
}

export type Labels = Readonly<Record<string, string>>;

/** As in `kubectl get -l`: "app=web,tier in (a,b),!old". Throws SelectorError. */
export function parseLabelSelector(text: string): readonly Requirement[] {
  const requirements: Requirement[] = [];
  let rest = text.trim();
  while (rest !== '') {
    const match = REQUIREMENT.exec(rest);
    if (match === null) throw new SelectorError(text, rest);
    requirements.push(requirementOf(match, text));
    rest = rest.slice(match[0].length);
    if (match.groups?.end === ',' && rest === '') throw new SelectorError(text, ',');
  }
  return requirements;
}

/** A term of a field selector: "status.phase!=Running". */
export interface FieldTerm {
  readonly path: string;
  readonly equal: boolean;
  readonly value: string;
}

/** As in `kubectl get --field-selector`. Throws SelectorError. */
export function parseFieldSelector(text: string): readonly FieldTerm[] {
  return text
    .split(/(?<!\\),/)
    .map((term) => term.trim())
    .filter((term) => term !== '')
    .map((term) => {
      const match = /^([^=!]+?)\s*(==|=|!=)\s*(.*)$/s.exec(term);
      if (match === null) throw new SelectorError(text, term);
      const [, path = '', operator, value = ''] = match;
      return { path, equal: operator !== '!=', value: value.replace(/\\([\\,=])/g, '$1') };
    });
}

/** The text of a selector, said again: what is wrong and where. */
export class SelectorError extends Error {
  override readonly name = 'SelectorError';
  constructor(selector: string, found: string) {
    super(
      `unable to parse selector ${JSON.stringify(selector)}: found ${JSON.stringify(found)}, expected ` +
        'key, !key, key=value, key!=value, key in (a,b), key notin (a,b), key>n or key<n',
    );
  }
}

export const matchesLabels = (requirements: readonly Requirement[], labels: Labels = {}): boolean =>
  requirements.every(({ key, operator, values }) =>
    operators[operator].holds(own(labels, key), values),
  );

/** metav1.LabelSelector as requirements. undefined selects nothing, an empty one everything. */
export function requirementsOf(selector: LabelSelector): readonly Requirement[] {
  const equalities = Object.entries(selector.matchLabels ?? {}).map(
    ([key, value]) => ({ key, operator: 'In', values: [value] }) as const,
  );
  const expressions = selector.matchExpressions ?? [];
  return [...equalities, ...expressions.map(({ values = [], ...one }) => ({ ...one, values }))];
}

export const matchesSelector = (
  selector: LabelSelector | undefined,
  labels: Labels | undefined,
): boolean => selector !== undefined && matchesLabels(requirementsOf(selector), labels);

/** The text form, as kubectl shows it; "<none>" for an empty one. */
export function formatLabelSelector(selector: LabelSelector | undefined): string {
  const terms = requirementsOf(selector ?? {}).map(({ key, operator, values }) =>
    operators[operator].format(key, values),
  );
  return terms.join(',') || '<none>';
}

/** What the shape can't say. */
export const checkLabelSelector: field.Rule<LabelSelector> = (selector, at) =>
  field.errorsOf(
    checkLabels(selector.matchLabels, at('matchLabels')),
    field.errorsOfEach(selector.matchExpressions, at('matchExpressions'), checkExpression),
  );

type Expression = NonNullable<LabelSelector['matchExpressions']>[number];

const checkExpression: field.Rule<Expression> = ({ key, operator, values = [] }, at) => {
  const needsValues = operator === 'In' || operator === 'NotIn';
  const path = at('values');
  return field.errorsOf(
    field.check(at('key'), key, checkQualifiedName),
    needsValues &&
      values.length === 0 &&
      field.required(path, "must be specified when `operator` is 'In' or 'NotIn'"),
    !needsValues &&
      values.length > 0 &&
      field.forbidden(path, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"),
    field.errorsOfEach(values, path, (value, one) => field.check(one, value, checkLabelValue)),
  );
};

const KEY = '[A-Za-z0-9](?:[-A-Za-z0-9_./]*[A-Za-z0-9])?';
const VALUE = '[A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?|';
const REQUIREMENT = new RegExp(
  `^\\s*(?:!\\s*(?<absent>${KEY})|(?<key>${KEY})(?:\\s+(?<set>in|notin)\\s*\\((?<values>[^()]*)\\)` +
    `|\\s*(?<operator>==|=|!=|>|<)\\s*(?<value>${VALUE}))?)\\s*(?<end>,|$)`,
);

function requirementOf(match: RegExpExecArray, text: string): Requirement {
  const { absent, key = '', set, values = '', operator, value = '' } = match.groups ?? {};
  if (absent !== undefined) return { key: absent, operator: 'DoesNotExist', values: [] };
  if (set !== undefined)
    return { key, operator: set === 'in' ? 'In' : 'NotIn', values: valuesOf(values, text) };
  if (operator === undefined) return { key, operator: 'Exists', values: [] };
  if (operator === '!=') return { key, operator: 'NotIn', values: [value] };
  if (operator === '=' || operator === '==') return { key, operator: 'In', values: [value] };
  if (!/^\d+$/.test(value)) throw new SelectorError(text, value);
  return { key, operator: operator === '>' ? 'Gt' : 'Lt', values: [value] };
}

function valuesOf(list: string, text: string): readonly string[] {
  const values = list.split(',').map((value) => value.trim());
  const bad = values.find((value) => !new RegExp(`^(?:${VALUE})$`).test(value));
  if (bad !== undefined) throw new SelectorError(text, bad);
  return values;
}

const isNumber = (value: string | undefined) => value !== undefined && /^-?\d+$/.test(value);

interface Operator {
  /** `value`: the label's; undefined where there is no such label. */
  holds(value: string | undefined, values: readonly string[]): boolean;
  /** As kubectl shows it. */
  format(key: string, values: readonly string[]): string;
}

const operators: Readonly<Record<Requirement['operator'], Operator>> = {
  Exists: { holds: (value) => value !== undefined, format: (key) => key },
  DoesNotExist: { holds: (value) => value === undefined, format: (key) => `!${key}` },
  In: {
    holds: (value, values) => value !== undefined && values.includes(value),
    format: (key, values) =>
      values.length === 1 ? `${key}=${values[0]}` : `${key} in (${values.join(',')})`,
  },
  NotIn: {
    holds: (value, values) => value === undefined || !values.includes(value),
    format: (key, values) => `${key} notin (${values.join(',')})`,
  },
  Gt: {
    holds: (value, [bound]) => isNumber(value) && Number(value) > Number(bound),
    format: (key, [bound]) => `${key}>${bound}`,
  },
  Lt: {
    holds: (value, [bound]) => isNumber(value) && Number(value) < Number(bound),
    format: (key, [bound]) => `${key}<${bound}`,
  },
};
