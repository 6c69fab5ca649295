/** What a guard of two questions says of an image; p-values of the questions that it answers. */
export interface Answered {
  readonly isOod: boolean;
  readonly contentPValue?: number;
  readonly conditionsPValue?: number;
  /** What the conditions are beside those of the training images, in words: `blurrier`. */
  readonly condition?: string;
}

/**
 * Why an image is called OOD, in a plain sentence; empty where it is not.
 *
 * @param rate a question is failed where its p-value is at most that
 */
export function reasonOf(answered: Answered, rate: number): string {
  const { isOod, contentPValue = 1, conditionsPValue = 1, condition } = answered;
  if (!isOod) return '';
  // p-values come as float32.
  const fails = (pValue: number) => pValue <= rate * (1 + 1e-6);
  const reasons = [
    ...(fails(contentPValue) ? ['unlike what it was taught'] : []),
    ...(fails(conditionsPValue)
      ? [condition ? `${condition} than its training images` : 'unusual conditions']
      : []),
  ];
  return reasons.join('; ') || 'content and conditions are both a little unusual';
}
