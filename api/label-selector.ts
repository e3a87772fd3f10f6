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
