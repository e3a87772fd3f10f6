import * as s from './schema.ts';

/** metav1.Condition, as every status has them; some kinds know more times. */
export const conditionFields = {
  type: s.str().doc('What it says something about.').required(),
  status: s
    .str({ values: ['True', 'False', 'Unknown'] })
    .doc('Whether it holds.')
    .required(),
  lastTransitionTime: s.time().doc('Since when.'),
  reason: s.str().doc('Why, in one word, for programs.'),
  message: s.str().doc('Why, in a sentence, for people.'),
};

export type Condition = s.ObjectOf<typeof conditionFields>;

interface Conditioned<C> {
  readonly status: { readonly conditions?: readonly C[] | undefined };
}

export const conditionOf = <C extends Pick<Condition, 'type'>>(
  { status }: Conditioned<C>,
  type: C['type'],
): C | undefined => status.conditions?.find((condition) => condition.type === type);

/** Since when the status is what it is: since before, or since now (an RFC 3339 time). */
export const transitionTime = (
  { status }: Pick<Condition, 'status'>,
  previous: Pick<Condition, 'status' | 'lastTransitionTime'> | undefined,
  now: string,
): string => (previous?.status === status && previous.lastTransitionTime) || now;

/** The list with what is said as of now in the place of what was said of the same type. */
export function withCondition<C extends Condition>(
  conditions: readonly C[] = [],
  said: C,
  now: string,
): readonly C[] {
  const previous = conditions.find(({ type }) => type === said.type);
  const dated = { ...said, lastTransitionTime: transitionTime(said, previous, now) };
  return [...conditions.filter((one) => one !== previous), dated];
}
