import { stat } from 'node:fs/promises';
import { option, UsageError } from '../../common/errors.ts';
import type { Calibration } from '../../evaluation/conformal.ts';
import { auroc } from '../../evaluation/metrics.ts';
import { withHalfWeights } from '../../graph/half-weights.ts';
import { readModel } from '../../graph/read.ts';
import { guardInfo } from '../../guard/guard-info.ts';
import { setName } from '../features/feature-files.ts';
import type { FeatureGraph } from '../features/feature-graph.ts';
import { openRecorded, recordedSet } from '../features/recorded-set.ts';
import type { RunFolder } from '../run-folder.ts';
import type { LostAuroc } from './lost-auroc.ts';
import { type ImageRunOptions, outputsOnImages } from './outputs-on-images.ts';
import { calibrateAnew } from './recalibrate.ts';
import type { RuntimeComparison } from './runtimes.ts';

/** A guard with weights in half floats, calibrated by itself, beside the one it was made of. */
export interface HalfReport {
  /** Relative to the run folder. */
  readonly file: string;
  /** Of the file, and of the guard that it was made of. */
  readonly bytes: number;
  readonly bytesBefore: number;
  readonly calibration: Calibration;
  readonly runtimes: RuntimeComparison;
  /** The run's OOD sets, scored anew. */
  readonly sets: readonly LostAuroc[];
}

const HALF_FILE = 'guarded-half.onnx';

/**
 * Writes a guard once more with the classifier's weights in half floats. Its features are others, by rounding: centres, scales and
 * ranks are set anew by the calibration images, and OOD sets are scored anew, all from their images.
 *
 * @param guard the file of the guard, relative to the run folder
 * @param before the AUROC of each OOD set by that guard
 * @throws UsageError where the classifier has no float32 weights; DataError where images are no longer there
 */
export async function halveGuard(
  run: RunFolder,
  guard: string,
  { model: network }: FeatureGraph,
  { heldOut, oods }: { readonly heldOut: string; readonly oods: readonly string[] },
  before: ReadonlyMap<string, number>,
  options: ImageRunOptions,
): Promise<HalfReport> {
  const [path, output] = [run.file(guard), run.file(HALF_FILE)];
  const whole = await readModel(path);
  const half = withHalfWeights(whole, new Set(network.graph.initializer.map(({ name }) => name)), path);
  if (half.graph.node.length === whole.graph.node.length)
    throw new UsageError(
      option('half'),
      'finds no float32 weights: the classifier is quantised',
      'leave it out',
    );
  const images = await openRecorded(recordedSet(run, heldOut));
  const { scores, calibration, runtimes } = await calibrateAnew(
    half,
    images,
    setName(heldOut),
    output,
    options,
  );
  const calibrated = await readModel(output);
  const info = guardInfo(calibrated, output);
  const sets: LostAuroc[] = [];
  for (const file of oods) {
    const name = setName(file);
    const set = await openRecorded(recordedSet(run, file));
    const outputs = await outputsOnImages(calibrated, set, info, ['ood_score'], options);
    const own = outputs.get('ood_score')!;
    sets.push({ name, auroc: auroc(scores, own), aurocBefore: before.get(name)! });
  }
  const [{ size: bytes }, { size: bytesBefore }] = await Promise.all([stat(output), stat(path)]);
  return { file: HALF_FILE, bytes, bytesBefore, calibration, runtimes, sets };
}
