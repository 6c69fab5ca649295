/** Each class's probability by its logit: of one class by softmax, of each by sigmoid where they do not exclude each other. */
export function probabilitiesOf(logits: readonly number[], isMultiLabel: boolean): number[] {
  if (isMultiLabel) return logits.map((logit) => 1 / (1 + Math.exp(-logit)));
  const largest = Math.max(...logits);
  const powers = logits.map((logit) => Math.exp(logit - largest));
  const sum = powers.reduce((total, power) => total + power, 0);
  return powers.map((power) => power / sum);
}
