import { ageColumn, type Column, text } from './columns.ts';
import * as field from './field-error.ts';
import { errorsOf, errorsOfEach, type Rule } from './field-error.ts';
import { unchanged } from './immutable.ts';
import { type Kind, type KubeObject, kind } from './kind.ts';
import { quantityOf } from './quantity.ts';
import * as s from './schema.ts';

const scope = s.str({
  values: ['Terminating', 'NotTerminating', 'BestEffort', 'NotBestEffort', 'PriorityClass'],
  lacks: ['CrossNamespacePodAffinity'],
});

const requirementFields = {
  scopeName: scope.required(),
  operator: s.str({ values: ['In', 'NotIn', 'Exists', 'DoesNotExist'] }).required(),
  values: s.list(s.str()).doc('Names of PriorityClasses.'),
};

const specFields = {
  hard: s
    .map(s.quantity())
    .doc('At most this: pods, requests.cpu, limits.memory, services, count/RESOURCE.GROUP …'),
  scopes: s.list(scope).doc('Only pods of all of these kinds count. Cannot be changed.'),
  scopeSelector: s
    .obj({ matchExpressions: s.list(s.obj(requirementFields)) })
    .doc('Only pods that fulfil all of these count.'),
};

const fields = {
  spec: s.obj(specFields).default({}),
  status: s
    .obj({
      hard: s.map(s.quantity()).doc('What is enforced.'),
      used: s.map(s.quantity()).doc('What is there of it.'),
    })
    .default({}),
};

export type ResourceQuota = KubeObject<typeof fields>;
export type ScopeRequirement = s.ObjectOf<typeof requirementFields>;

export const ResourceQuota: Kind<typeof fields> = kind({
  kind: 'ResourceQuota',
  shortNames: ['quota'],
  about: 'How much of everything its namespace may hold.',
  subresources: ['status'],
  hasGeneration: false,
  fields,
  validate: ({ spec }, at) => validateSpec(spec, at('spec')),
  validateUpdate: ({ spec }, previous, at) =>
    unchanged(spec.scopes ?? [], previous.spec.scopes ?? [], at('spec')('scopes')),
  columns: [
    ageColumn as Column<ResourceQuota>,
    text('Request', 'Used and possible, but for limits.', (quota) => usage(quota, false)),
    text('Limit', 'Used and possible of limits.', (quota) => usage(quota, true)),
  ],
});

/** "pods: 1/10, requests.cpu: 500m/2" */
const usage = ({ status: { hard = {}, used = {} } }: ResourceQuota, ofLimits: boolean) =>
  Object.keys(hard)
    .filter((name) => name.startsWith('limits') === ofLimits)
    .sort()
    .map((name) => `${name}: ${used[name] ?? '0'}/${hard[name]}`)
    .join(', ');

/** Processor time and memory, with and without the names that say of what. */
export const computeResources: readonly string[] = [
  ...['cpu', 'memory', 'requests.cpu', 'requests.memory', 'limits.cpu', 'limits.memory'],
];

/** Scopes together: each as if written as a requirement. */
export const requirementsOf = ({ scopes = [], scopeSelector }: ResourceQuota['spec']) => [
  ...scopes.map((scopeName): ScopeRequirement => ({ scopeName, operator: 'Exists' })),
  ...(scopeSelector?.matchExpressions ?? []),
];

const validateSpec: Rule<ResourceQuota['spec']> = ({ hard = {}, scopes, scopeSelector }, at) => {
  const expressions = scopeSelector?.matchExpressions;
  const names = expressions?.map(({ scopeName }) => scopeName);
  const path = at('scopeSelector')('matchExpressions');
  return errorsOf(
    ...Object.entries(hard).map(([name, text]) => validateAmount([name, text], at('hard')(name))),
    validateScopes(hard)(scopes, at('scopes')),
    validateScopes(hard)(names, path),
    errorsOfEach(expressions, path, validateRequirement),
  );
};

const validateAmount: Rule<readonly [string, string]> = ([name, text], at) => {
  const { nano } = quantityOf(text);
  const isWhole = computeResources.includes(name) || nano % 1_000_000_000n === 0n;
  return errorsOf(
    nano < 0n && field.invalid(at, text, 'must be greater than or equal to 0'),
    !isWhole && field.invalid(at, text, 'must be an integer'),
  );
};

const opposites = [
  ['BestEffort', 'NotBestEffort'],
  ['Terminating', 'NotTerminating'],
];

/** Scopes are about pods, and what asks for nothing can only be counted. */
const validateScopes =
  (hard: object): Rule<readonly string[] | undefined> =>
  (scopes = [], at) => {
    const isApplicable = (name: string) =>
      name === 'pods' || (computeResources.includes(name) && !scopes.includes('BestEffort'));
    const isPossible = scopes.length === 0 || Object.keys(hard).every(isApplicable);
    const isConflict = opposites.some((pair) => pair.every((one) => scopes.includes(one)));
    return errorsOf(
      !isPossible && field.invalid(at, scopes, 'unsupported scope applied to resource'),
      isConflict && field.invalid(at, scopes, 'conflicting scopes'),
    );
  };

const validateRequirement: Rule<ScopeRequirement> = ({ scopeName, operator, values = [] }, at) => {
  const isOfNames = operator === 'In' || operator === 'NotIn';
  const needs = "at least one value when `operator` is 'In' or 'NotIn' for scope selector";
  const has = "no value when `operator` is 'Exists' or 'DoesNotExist' for scope selector";
  return errorsOf(
    scopeName !== 'PriorityClass' &&
      operator !== 'Exists' &&
      field.invalid(at('operator'), operator, `must be 'Exists' when scope is ${scopeName}`),
    isOfNames && values.length === 0 && field.required(at('values'), `must be ${needs}`),
    !isOfNames && values.length > 0 && field.invalid(at('values'), values, `must be ${has}`),
  );
};
