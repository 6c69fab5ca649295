import { batches } from '../../../data/batches.ts';
import type { OnProgress } from '../../common/progress.ts';
import { toFloat32 } from '../../common/tensor.ts';
import { withThreshold } from '../../detectors/decision-model.ts';
import { probabilitiesOf } from '../../evaluation/probabilities.ts';
import { reasonOf } from '../../evaluation/reason.ts';
import { readModel } from '../../graph/read.ts';
import type { DeviceName } from '../../runtime/device.ts';
import type { Tensors } from '../../runtime/graph-session.ts';
import { SessionPool } from '../../runtime/session-pool.ts';
import { type OnLeftOut, openImages } from '../open-images.ts';
import { type Guard, guardOf } from './guarded-file.ts';

export interface ScoreOptions {
  readonly device?: DeviceName;
  /** Images a run; 8 where absent, or as many as the memory is for. */
  readonly batch?: number;
  /** Bytes that running the model may take beyond its weights; 2 GiB where absent. */
  readonly memory?: number;
  /** Scores above it are OOD; the file's own where absent. */
  readonly threshold?: number;
  /** Whether the logits and probabilities of images are given too. */
  readonly logits?: boolean;
  /** Turns image files as their EXIF orientation says. */
  readonly orient?: boolean;
  /** Leaves out images that cannot be decoded. */
  readonly skipDamaged?: boolean;
  readonly onProgress?: OnProgress;
  readonly onLeftOut?: OnLeftOut;
}

/** What a guarded model says of an image. */
export interface ScoredImage {
  /** The set that it is of, as it was given. */
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
  /** Of a guard of two questions: the p-value of each, and what the conditions are where they are unusual, in words. */
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

/** Images that are read and scored before results are given out. */
const DEFAULT_BATCH = 8;

/**
 * Scores sets of images with a guarded model, batch by batch and in order: memory does not grow with the sets.
 *
 * @param path a `guarded.onnx` of `guardRun`
 * @param sources sets as `openImageSet` takes them
 * @throws GraphError where the file is no guarded model; DataError where images cannot be read
 */
export async function* scoreImages(
  path: string,
  sources: readonly string[],
  options: ScoreOptions = {},
): AsyncGenerator<ScoredImage, void, undefined> {
  const { device, threshold, logits, orient, skipDamaged, onProgress, onLeftOut } = options;
  const model = await readModel(path);
  const guard = guardOf(model, path);
  const { classNames, size, batch: only } = guard;
  const wanted = [...outputsOf(guard), ...(logits ? [guard.logits] : [])];
  const guarded = threshold === undefined ? model : withThreshold(model, threshold);
  const pool = await SessionPool.open(guarded, device, options.memory);
  const batch = only ?? options.batch ?? Math.min(DEFAULT_BATCH, pool.largestBatch);
  try {
    for (const source of sources) {
      const { images } = await openImages(source, { orient, skipDamaged, onProgress, onLeftOut });
      const tell = (done: number) =>
        onProgress?.({ task: `score ${images.name}`, done, total: images.length, unit: 'images' });
      tell(0);
      const score = async (pixels: Uint8Array, count: number) => {
        const shape = [count, size.height, size.width, 3];
        return pool.run({ pixels: { dtype: 'uint8', shape, data: pixels } }, wanted);
      };
      // As many runs at once as there are sessions; results are given out in order.
      const running: { start: number; count: number; outputs: ReturnType<typeof score> }[] = [];
      const next = async function* () {
        const { start, count, outputs } = running.shift()!;
        const tensors = await outputs;
        const { label, ood_score, p_value, is_ood } = tensors;
        for (let i = 0; i < count; i++)
          yield {
            set: source,
            image: images.imagePath?.(start + i) ?? images.imageName(start + i),
            label: Number(label.data[i]),
            ...(classNames?.[Number(label.data[i])] !== undefined && {
              className: classNames[Number(label.data[i])],
            }),
            score: Number(ood_score.data[i]),
            pValue: Number(p_value.data[i]),
            isOod: is_ood.data[i] === 1,
            ...explanationOf(guard, tensors, i),
            ...(logits && classScores(guard, tensors, i, count)),
          };
        tell(start + count);
      };
      for await (const { start, count, pixels } of batches(images, { batch, size })) {
        const outputs = score(pixels, count);
        // The caller sees a failure when its turn comes; until then nobody listens.
        outputs.catch(() => {});
        running.push({ start, count, outputs });
        if (running.length > pool.size) yield* next();
      }
      while (running.length) yield* next();
    }
  } finally {
    await pool.close();
  }
}

/** The outputs that are read of a guarded model. */
function outputsOf({ questions = [], layers }: Guard): string[] {
  return [
    ...['label', 'ood_score', 'p_value', 'is_ood'],
    ...(questions.length > 1 ? ['content_p_value', 'conditions_p_value'] : []),
    ...(questions.includes('conditions') ? ['condition'] : []),
    ...(layers ? ['ood_layer'] : []),
  ];
}

/** What explains the decision on the i-th image of a run. */
function explanationOf({ questions, conditions, layers, calibration }: Guard, tensors: Tensors, i: number) {
  if (layers) return { layer: layers[Number(tensors.ood_layer.data[i])] };
  if (!questions) return {};
  const number = (name: string) => Number(tensors[name].data[i]);
  const pValue = (name: string, alone: string) =>
    tensors[name] ? number(name) : questions.join() === alone ? number('p_value') : undefined;
  const condition = tensors.condition && conditions?.[number('condition')];
  const answered = {
    contentPValue: pValue('content_p_value', 'content'),
    conditionsPValue: pValue('conditions_p_value', 'conditions'),
    ...(condition !== undefined && { condition }),
  };
  const isOod = tensors.is_ood.data[i] === 1;
  return { ...answered, reason: reasonOf({ ...answered, isOod }, calibration.rate) };
}

/** The logits of the i-th image of a run, and what they are as probabilities. */
function classScores({ logits, isMultiLabel }: Guard, tensors: Tensors, i: number, count: number) {
  const all = toFloat32(tensors[logits]);
  const classes = all.length / count;
  const own = Array.from(all.subarray(i * classes, (i + 1) * classes));
  return { logits: own, probabilities: probabilitiesOf(own, isMultiLabel) };
}
