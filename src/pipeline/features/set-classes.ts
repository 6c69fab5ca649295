import type { ImageSet } from '../../../data/image-set.ts';
import type { FeatureGraph } from './feature-graph.ts';

/**
 * Which of the backbone's classes each of a set's is: by its name, where both have names and the backbone knows all of them;
 * else the one of the same number, where there are as many.
 */
export function classesOf(
  { classes }: ImageSet,
  { classNames }: FeatureGraph,
  count: number,
): readonly number[] | undefined {
  const named = classNames && classes?.map((name) => classNames.indexOf(name));
  if (named?.every((at) => at >= 0)) return named;
  return classes?.length === count ? classes.map((_, at) => at) : undefined;
}

/** The classifier's class of each image; undefined where the set's classes are not the classifier's, or an image has none. */
export function classLabels(
  images: ImageSet,
  classOf: readonly number[] | undefined,
): Float32Array | undefined {
  if (!classOf) return undefined;
  const labels = new Float32Array(images.length);
  for (let i = 0; i < images.length; i++) {
    const label = images.label(i);
    if (label === undefined) return undefined;
    labels[i] = classOf[label];
  }
  return labels;
}

export function countCorrect(
  images: ImageSet,
  classOf: readonly number[],
  logits: Float32Array,
  start: number,
  end: number,
): number {
  const classes = logits.length / (end - start);
  let correct = 0;
  for (let i = start; i < end; i++) {
    const row = logits.subarray((i - start) * classes, (i - start + 1) * classes);
    let top = 0;
    for (let c = 1; c < classes; c++) if (row[c] > row[top]) top = c;
    const label = images.label(i);
    if (label !== undefined && classOf[label] === top) correct++;
  }
  return correct;
}
