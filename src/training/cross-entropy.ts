/** What the logits of a batch are worth. */
export interface Loss {
  /** The mean cross-entropy, in nats. */
  readonly loss: number;
  /** Samples whose largest logit is their label's. */
  readonly correct: number;
  /** Of the loss with respect to the logits; N × classes. */
  readonly gradient: Float32Array;
}

/**
 * Softmax and cross-entropy, averaged over the batch. Logits are few: float64 in JavaScript costs nothing.
 *
 * @param logits N × classes
 * @param smoothing share of each label that all classes have in equal parts
 */
export function crossEntropy(logits: Float32Array, labels: ArrayLike<number>, smoothing = 0): Loss {
  const count = labels.length;
  const classes = logits.length / count;
  const gradient = new Float32Array(logits.length);
  let [loss, correct] = [0, 0];
  for (let i = 0; i < count; i++) {
    const row = logits.subarray(i * classes, (i + 1) * classes);
    let top = 0;
    for (let c = 1; c < classes; c++) if (row[c] > row[top]) top = c;
    let sum = 0;
    for (let c = 0; c < classes; c++) sum += Math.exp(row[c] - row[top]);
    const logSum = row[top] + Math.log(sum);
    const mean = row.reduce((total, value) => total + value, 0) / classes;
    loss += logSum - (1 - smoothing) * row[labels[i]] - smoothing * mean;
    if (top === labels[i]) correct++;
    for (let c = 0; c < classes; c++) {
      const wanted = smoothing / classes + (c === labels[i] ? 1 - smoothing : 0);
      gradient[i * classes + c] = (Math.exp(row[c] - logSum) - wanted) / count;
    }
  }
  return { loss: loss / count, correct, gradient };
}
