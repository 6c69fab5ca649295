import { batches } from '../../../data/batches.ts';
import { withThreshold } from '../../detectors/decision-model.ts';
import { probabilitiesOf } from '../../evaluation/probabilities.ts';
import { readModel } from '../../graph/read.ts';
import type { GuardAnswer } from '../../guard/guard-answer.ts';
import { type GuardInfo, guardInfo } from '../../guard/guard-info.ts';
import { runGuard } from '../../guard/open-guard.ts';
import { SessionPool } from '../../runtime/session-pool.ts';
import { type OnLeftOut, openImages } from '../open-images.ts';
import { batchOf, type ImageRunOptions } from './outputs-on-images.ts';

export interface ScoreOptions extends ImageRunOptions {
  /** Scores above it are OOD; the file's own where absent. */
  readonly threshold?: number;
  /** Whether the logits and probabilities of images are given too. */
  readonly logits?: boolean;
  /** Turns image files as their EXIF orientation says. */
  readonly orient?: boolean;
  /** Leaves out images that cannot be decoded. */
  readonly skipDamaged?: boolean;
  readonly onLeftOut?: OnLeftOut;
}

/** What a guarded model says of an image. */
export interface ScoredImage {
  /** The set that it is of, as it was given, and its name there. */
  readonly set: string;
  /** The path that it opens by, from the working folder; its name in the set where it is no file of its own. */
  readonly image: string;
  /** The predicted class, by number; −1 where an image left early. And by name, where the guard knows it. */
  readonly label: number;
  readonly className?: string;
  /** Higher is more OOD. */
  readonly score: number;
  /** The share of InD images that are at least as suspicious, (0, 1]. */
  readonly pValue: number;
  readonly isOod: boolean;
  /** Of a guard of questions: the score of each that it answers; higher is more OOD. */
  readonly contentScore?: number;
  readonly conditionsScore?: number;
  /** The p-value of each, and what the conditions are where they are unusual, in words. */
  readonly contentPValue?: number;
  readonly conditionsPValue?: number;
  readonly condition?: string;
  /** Of a guard of questions: why the image is called OOD, in a plain sentence; empty where it is not. */
  readonly reason?: string;
  /** Of a guard by layers: those that are farthest from what is usual. */
  readonly layer?: string;
  /** Where they were asked for: each class's logit, and its probability by softmax, or by sigmoid where classes do not exclude each other; NaN where an image left early. */
  readonly logits?: readonly number[];
  readonly probabilities?: readonly number[];
}

/**
 * Scores sets of images with a guarded model, batch by batch and in order: memory does not grow with the sets.
 *
 * @param path a `guarded.onnx` of `guardRun`
 * @param sources sets as `openImageSet` takes them
 * @throws GraphError where the file is no guarded model; DataError where images cannot be read
 *
 * @example
 * ```ts
 * import { scoreImages } from 'la-ood/guard';
 *
 * for await (const { image, isOod, pValue, reason } of scoreImages('guarded.onnx', ['photos/', 'more.zip']))
 *   console.log(image, isOod, pValue, reason);
 * ```
 */
export async function* scoreImages(
  path: string,
  sources: readonly string[],
  options: ScoreOptions = {},
): AsyncGenerator<ScoredImage, void, undefined> {
  const { device, threshold, logits, orient, skipDamaged, onProgress, onLeftOut } = options;
  const model = await readModel(path);
  const info = guardInfo(model, path);
  const guarded = threshold === undefined ? model : withThreshold(model, threshold);
  const pool = await SessionPool.open(guarded, device, options.memory);
  const batch = batchOf(pool, info.batch, options.batch);
  try {
    for (const source of sources) {
      const { images } = await openImages(source, { orient, skipDamaged, onProgress, onLeftOut });
      const tell = (done: number) =>
        onProgress?.({ task: `score ${images.name}`, done, total: images.length, unit: 'images' });
      tell(0);
      // As many runs at once as there are sessions; results are given out in order.
      const running: { start: number; count: number; answers: Promise<GuardAnswer[]> }[] = [];
      const next = async function* () {
        const { start, count, answers } = running.shift()!;
        for (const [i, answer] of (await answers).entries())
          yield {
            set: source,
            image: images.imagePath?.(start + i) ?? images.imageName(start + i),
            ...rowOf(answer, info),
            ...(logits && {
              logits: answer.logits,
              probabilities: probabilitiesOf(answer.logits, info.isMultiLabel),
            }),
          };
        tell(start + count);
      };
      for await (const { start, count, pixels } of batches(images, { batch, size: info.size })) {
        const answers = runGuard(pool, info, pixels, count);
        // The caller gets a failure when its turn comes; until then Node would take it for a crash.
        answers.catch(() => {});
        running.push({ start, count, answers });
        if (running.length > pool.size) yield* next();
      }
      while (running.length) yield* next();
    }
  } finally {
    await pool.close();
  }
}

/** An answer as a row of a table. */
function rowOf(
  answer: GuardAnswer,
  { classNames, questions }: GuardInfo,
): Omit<ScoredImage, 'set' | 'image'> {
  const { classIndex, score, pValue, isOod, content, conditions, reason, layer } = answer;
  const className = classNames?.[classIndex];
  return {
    label: classIndex,
    ...(className !== undefined && { className }),
    ...{ score, pValue, isOod },
    ...(questions
      ? {
          ...(content && { contentScore: content.score }),
          ...(conditions && { conditionsScore: conditions.score }),
          ...{ contentPValue: content?.pValue, conditionsPValue: conditions?.pValue, reason },
        }
      : { layer }),
    ...(conditions?.name !== undefined && { condition: conditions.name }),
  };
}
