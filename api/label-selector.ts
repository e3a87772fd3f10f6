import * as s from './schema.ts';

/** metav1.LabelSelector. Both parts must hold; an empty selector matches everything. */
export const labelSelectorFields = {
  matchLabels: s.map(s.str(), { about: 'Labels that must have exactly these values.' }),
  matchExpressions: s.list(
    s.obj({
      key: s.required(s.str({ about: 'The label.' })),
      operator: s.required(
        s.str({ values: ['In', 'NotIn', 'Exists', 'DoesNotExist'], about: 'Relation to values.' }),
      ),
      values: s.list(s.str(), { about: 'With In and NotIn only.' }),
    }),
    { about: 'Conditions that must all hold.' },
  ),
};

export type LabelSelector = s.ObjectOf<typeof labelSelectorFields>;
