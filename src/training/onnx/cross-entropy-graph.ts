import type { Extension } from '../../graph/gradient/extend.ts';

/**
 * Writes the mean cross-entropy of a batch in nats, and how many of its largest logits are their labels'.
 *
 * @param logits N × classes
 * @param labels N, int64
 * @param smoothing share of each label that all classes have in equal parts (Szegedy et al. 2016)
 */
export function crossEntropyGraph(
  write: Extension,
  logits: string,
  labels: string,
  { classes, smoothing = 0 }: { classes: number; smoothing?: number },
): { loss: string; correct: string } {
  const others = smoothing / classes;
  const depth = write.reshape(write.ints([classes]), []);
  const wanted = write.node('OneHot', [labels, depth, write.floats([others, 1 - smoothing + others], [2])]);
  const logShares = write.node('LogSoftmax', [logits], { axis: 1 });
  const each = write.sum(write.node('Mul', [logShares, wanted]), [1]);
  const mean = write.node('ReduceMean', [each, write.ints([0])], { keepdims: 0 });
  const top = write.node('ArgMax', [logits], { axis: 1, keepdims: 0 });
  const hits = write.node('Cast', [write.node('Equal', [top, labels])], { to: 1 });
  return { loss: write.node('Mul', [mean, write.floats(-1)]), correct: write.sum(hits, [0]) };
}
