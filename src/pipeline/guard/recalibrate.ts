import type { ImageSet } from '../../../data/image-set.ts';
import { option, UsageError } from '../../common/errors.ts';
import { isSameFile } from '../../common/files.ts';
import { decisionModel, withThreshold } from '../../detectors/decision-model.ts';
import {
  calibrationConstants,
  contentValue,
  PROJECTIONS_VALUE,
} from '../../detectors/guard/answers-model.ts';
import { calibrationAnswers, columnsOf, fitCombination } from '../../detectors/guard/combination.ts';
import {
  aggregate,
  aggregationConstants,
  fitAggregation,
  RAW_LAYER_SCORES,
} from '../../detectors/layer-aggregation.ts';
import { alarmsOf, type Calibration, calibrate } from '../../evaluation/conformal.ts';
import { makeValueInfo } from '../../graph/make.ts';
import { ElementType, type ModelProto, type TensorProto } from '../../graph/onnx.ts';
import { readModel } from '../../graph/read.ts';
import { setMetadata, withConstants } from '../../graph/rewrite.ts';
import { writeModel } from '../../graph/write.ts';
import { type GuardInfo, guardInfo } from '../../guard/guard-info.ts';
import type { FeatureOutputs } from '../features/feature-rows.ts';
import { rowHashes } from '../features/image-hashes.ts';
import { type OnLeftOut, openImages } from '../open-images.ts';
import { checkCopies, checkSpread } from './calibration-images.ts';
import { CALIBRATED_ON_KEY, CALIBRATION_KEY } from './guarded-file.ts';
import { type ImageRunOptions, outputsOnImages } from './outputs-on-images.ts';
import { compareRuntimes, type RuntimeComparison } from './runtimes.ts';
import { imagesForTrial } from './trial-images.ts';

export interface RecalibrateOptions extends ImageRunOptions {
  /** False-alarm rate, (0, 1); the guard's own where absent. */
  readonly rate?: number;
  /** Confidence of the stated bounds of the rate, (0, 1); the guard's own where absent. */
  readonly confidence?: number;
  /** Turns image files as their EXIF orientation says. */
  readonly orient?: boolean;
  /** Leaves out images that cannot be decoded. */
  readonly skipDamaged?: boolean;
  readonly onLeftOut?: OnLeftOut;
}

export interface RecalibrationReport {
  readonly file: string;
  readonly calibration: Calibration;
  /** Scores above it were OOD before. */
  readonly thresholdBefore: number;
  /** What whoever deploys it should know, in a line each. */
  readonly notes: readonly string[];
  readonly runtimes: RuntimeComparison;
}

/**
 * Calibrates a guard anew, for another camera or month: by InD images that nothing was fitted on, centres, scales and ranks are
 * replaced; nothing is fitted. It takes a run of the classifier for each image. Of guards by layers whose scales are not apart in the
 * graph, as those of version 0.1.0 and those with early exit, ranks and threshold are replaced.
 *
 * @param path a guarded model
 * @param source the images, as `openImageSet` takes them
 * @param output the file that is written
 * @throws GraphError where the file is no guarded model; DataError where images cannot be read; UsageError where there are too few for the
 * rate; RunError where they are alike
 *
 * @example
 * ```ts
 * import { recalibrateGuard } from 'la-ood/guard';
 *
 * await recalibrateGuard('guarded.onnx', 'photos-of-the-new-camera/', 'recalibrated.onnx', { rate: 0.05 });
 * ```
 */
export async function recalibrateGuard(
  path: string,
  source: string,
  output: string,
  options: RecalibrateOptions = {},
): Promise<RecalibrationReport> {
  if (await isSameFile(path, output))
    throw new UsageError(option('output'), 'is the guard itself', 'name another file');
  const model = await readModel(path);
  const { calibration: before } = guardInfo(model, path);
  const { orient, skipDamaged, onProgress, onLeftOut } = options;
  const { images } = await openImages(source, { orient, skipDamaged, onProgress, onLeftOut });
  const { scores: _, ...calibrated } = await calibrateAnew(model, images, source, output, options);
  return { file: output, thresholdBefore: before.threshold, ...calibrated };
}

/** What calibrating a guard anew found. */
export interface Calibrated extends Pick<RecalibrationReport, 'calibration' | 'notes' | 'runtimes'> {
  /** Of the calibration images, each compared with the others. */
  readonly scores: Float32Array;
}

/**
 * Writes a guard with other centres, scales and ranks, those of some images.
 *
 * @param source what the images are called, for errors
 * @param output the file that is written
 * @throws UsageError where there are too few images for the rate; RunError where they are alike
 */
export async function calibrateAnew(
  model: ModelProto,
  images: ImageSet,
  source: string,
  output: string,
  options: ImageRunOptions & Pick<RecalibrateOptions, 'rate' | 'confidence'>,
): Promise<Calibrated> {
  const guard = guardInfo(model, output);
  const { rate = guard.calibration.rate, confidence = guard.calibration.confidence } = options;
  alarmsOf(images.length, rate);
  const { outputs, hashes } = await componentsOf(model, guard, images, output, options);
  const notes = checkCopies(hashes, source, rate);
  const { scores, constants } = calibrationOf(guard, outputs, rate);
  checkSpread(scores, source);
  const calibration = calibrate(scores, rate, confidence);
  const decision = decisionModel(model.graph.output[0].name, 1, scores, calibration.threshold);
  const replaced = withConstants(model, [...constants, ...decision.graph.initializer], output);
  const trial = await imagesForTrial(images, guard);
  let runtimes: RuntimeComparison | undefined;
  await writeModel(
    output,
    setMetadata(replaced, {
      [CALIBRATION_KEY]: JSON.stringify(calibration),
      [CALIBRATED_ON_KEY]: await images.fingerprint(),
    }),
    {
      check: async (written) => {
        runtimes = await compareRuntimes(await readModel(written), output, trial, calibration, options);
      },
    },
  );
  return { scores, calibration, notes, runtimes: runtimes! };
}

/** What the calibration images are scored by, and what tells them apart. */
async function componentsOf(
  model: ModelProto,
  guard: GuardInfo,
  images: ImageSet,
  where: string,
  options: ImageRunOptions,
): Promise<{ outputs: FeatureOutputs; hashes: string[] }> {
  const values = new Set(model.graph.node.flatMap(({ output }) => output));
  const within = [...guard.parts.map(contentValue), PROJECTIONS_VALUE];
  const isMean = guard.aggregation === 'mean';
  const found = [...within, ...(isMean ? [RAW_LAYER_SCORES] : [])].filter((name) => values.has(name));
  const type = { elemType: ElementType.float, shape: ['batch', 'width'] };
  // None leaves early: its score is that of all stages.
  const whole = withThreshold(model, Number.POSITIVE_INFINITY, where);
  const output = [...whole.graph.output, ...found.map((name) => makeValueInfo(name, type))];
  const exposed = { ...whole, graph: { ...whole.graph, output } };
  const logits = model.graph.output[0].name;
  const outputs = await outputsOnImages(exposed, images, guard, ['ood_score', ...found, logits], options);
  return { outputs, hashes: rowHashes(outputs.get(logits)!, images.length) };
}

/** The scores of calibration images by what is usual of themselves, and the constants that say it. */
function calibrationOf(
  guard: GuardInfo,
  outputs: FeatureOutputs,
  rate: number,
): { scores: Float32Array; constants: readonly TensorProto[] } {
  const layers = outputs.get(RAW_LAYER_SCORES);
  if (layers) {
    const count = guard.parts.length;
    const aggregation = fitAggregation('mean', layers, count);
    return {
      scores: aggregate(layers, count, aggregation),
      constants: aggregationConstants(aggregation, count),
    };
  }
  const scores = outputs.get('ood_score')!;
  if (!guard.questions) return { scores, constants: [] };
  const content = guard.parts.filter((name) => outputs.has(contentValue(name)));
  const components = {
    count: scores.length,
    content: content.map((name) => outputs.get(contentValue(name))!),
    directions: columnsOf(outputs.get(PROJECTIONS_VALUE), scores.length),
  };
  const combination = fitCombination(components);
  const answers = calibrationAnswers(components, combination);
  return {
    scores: answers.ood,
    constants: calibrationConstants(content, combination, answers, rate),
  };
}
