import { list, map, type ObjectOf, obj, required, str } from './schema.ts';

/** metav1.LabelSelector. Both parts must hold; an empty selector matches everything. */
export const labelSelectorFields = {
  matchLabels: map(str(), { about: 'Labels that must have exactly these values.' }),
  matchExpressions: list(
    obj({
      key: required(str({ about: 'The label.' })),
      operator: required(
        str({ values: ['In', 'NotIn', 'Exists', 'DoesNotExist'], about: 'Relation to values.' }),
      ),
      values: list(str(), { about: 'With In and NotIn only.' }),
    }),
    { about: 'Conditions that must all hold.' },
  ),
};

export type LabelSelector = ObjectOf<typeof labelSelectorFields>;
