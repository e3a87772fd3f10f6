import { createdAtColumn } from './columns.ts';
import * as field from './field-error.ts';
import { errorsOf, errorsOfEach, type FieldPath, type Rule } from './field-error.ts';
import { type Kind, type KubeObject, kind } from './kind.ts';
import { compareQuantities, quantityOf } from './quantity.ts';
import * as s from './schema.ts';

const amounts = s.map(s.quantity());

const itemFields = {
  type: s
    .str({ values: ['Container', 'Pod'], lacks: ['PersistentVolumeClaim'] })
    .doc('Whether each container is held to this, or all of a pod together.')
    .required(),
  min: amounts.doc('At least this must be requested.'),
  max: amounts.doc('At most this may be the limit.'),
  default: amounts.doc('The limit of a container that names none; default: max.'),
  defaultRequest: amounts.doc('What such a container requests; default: its limit, or min.'),
  maxLimitRequestRatio: amounts.doc('So many times its request a limit may be.'),
};

const fields = {
  spec: s
    .obj({ limits: s.list(s.obj(itemFields)).doc('One for each type.').default([]) })
    .default({ limits: [] }),
};

export type LimitRange = KubeObject<typeof fields>;
export type LimitRangeItem = s.ObjectOf<typeof itemFields>;

export const LimitRange: Kind<typeof fields> = kind({
  kind: 'LimitRange',
  shortNames: ['limits'],
  about: 'What containers and pods of its namespace get and may ask for; it holds for new pods.',
  hasGeneration: false,
  fields,
  applyDefaults: ({ spec, ...rest }) => ({
    ...rest,
    spec: { limits: spec.limits.map(withDefaults) },
  }),
  validate: ({ spec: { limits } }, at) => {
    const types = limits.map(({ type }) => type);
    return errorsOfEach(limits, at('spec')('limits'), (item, path, index) =>
      errorsOf(
        types.indexOf(item.type) < index && field.duplicate(path('type'), item.type),
        validateItem(item, path),
      ),
    );
  },
  columns: [createdAtColumn],
});

function withDefaults(item: LimitRangeItem): LimitRangeItem {
  if (item.type !== 'Container') return item;
  const limits = { ...item.max, ...item.default };
  const requests = { ...item.min, ...limits, ...item.defaultRequest };
  return {
    ...item,
    ...(Object.keys(limits).length > 0 && { default: limits }),
    ...(Object.keys(requests).length > 0 && { defaultRequest: requests }),
  };
}

const resources = ['cpu', 'memory'];

/** No less than those before it. */
const ascending = ['min', 'defaultRequest', 'default', 'max'] as const;

const validateItem: Rule<LimitRangeItem> = (item, at) => {
  const lists = [...ascending, 'maxLimitRequestRatio'] as const;
  return errorsOf(
    ...(['default', 'defaultRequest'] as const).map(
      (list) =>
        item.type === 'Pod' &&
        item[list] &&
        field.forbidden(at(list), "may not be specified when `type` is 'Pod'"),
    ),
    ...lists.map((list) =>
      Object.keys(item[list] ?? {})
        .filter((name) => !resources.includes(name))
        .map((name) => field.unsupported(at(list)(name))),
    ),
    ...resources.map((name) => [
      ...validateOrder(item, name, at),
      ...validateRatio(item, name, at),
    ]),
  );
};

const words = {
  min: 'min value',
  defaultRequest: 'default request value',
  default: 'default value',
  max: 'max value',
};

function validateOrder(item: LimitRangeItem, resource: string, at: FieldPath) {
  return ascending.flatMap((low, i) =>
    ascending.slice(i + 1).flatMap((high) => {
      const [less, more] = [item[low]?.[resource], item[high]?.[resource]];
      if (less === undefined || more === undefined || compareQuantities(less, more) <= 0) return [];
      const told = low === 'min' && high !== 'max' ? high : low;
      const isLimit = low === 'defaultRequest' && high === 'default';
      const than = isLimit ? 'default limit value' : words[high];
      const why = `${words[low]} ${less} is greater than ${than} ${more}`;
      return [field.invalid(at(told)(resource), item[told]?.[resource], why)];
    }),
  );
}

function validateRatio({ min, max, ...item }: LimitRangeItem, resource: string, at: FieldPath) {
  const ratio = item.maxLimitRequestRatio?.[resource];
  if (ratio === undefined) return [];
  const nano = (text = '0') => Number(quantityOf(text).nano);
  const most = nano(max?.[resource]) / nano(min?.[resource]);
  const isBeyond = min?.[resource] && max?.[resource] && nano(ratio) > most * 1e9;
  const path = at('maxLimitRequestRatio')(resource);
  return errorsOf(
    nano(ratio) < 1e9 && field.invalid(path, ratio, `ratio ${ratio} is less than 1`),
    isBeyond &&
      field.invalid(path, ratio, `ratio ${ratio} is greater than max/min = ${most.toFixed(6)}`),
  );
}
