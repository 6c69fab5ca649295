import { stat } from 'node:fs/promises';
import { openFeatures } from '../../../converters/hdf5/features.ts';
import { sha256File } from '../../common/files.ts';
import type { OnProgress } from '../../common/progress.ts';
import type { GuardedScores, GuardScores } from '../../evaluation/guard-scores.ts';
import { ElementType, type ModelProto } from '../../graph/onnx.ts';
import { partBehind } from '../../graph/part.ts';
import { readModel } from '../../graph/read.ts';
import type { ValueType } from '../../graph/shapes.ts';
import { guardInfo } from '../../guard/guard-info.ts';
import { featureLayers, setName } from '../features/feature-files.ts';
import { outputsOnFeatures } from '../features/feature-rows.ts';
import { GUARD_FILE } from '../guard/guard.ts';
import type { RunFolder } from '../run-folder.ts';

/**
 * What the run's guard says of features: `guarded.onnx` from the pooled taps on, so that no image is needed.
 *
 * @param hashes SHA-256 of the feature files by the names of their sets
 * @returns undefined where there is no guard, or it was calibrated on other features
 */
export async function guardScores(
  run: RunFolder,
  ind: string,
  oods: readonly string[],
  hashes: Readonly<Record<string, string>>,
  onProgress?: OnProgress,
): Promise<GuardScores | undefined> {
  const record = run.record('guard');
  const path = run.file(GUARD_FILE);
  const isIntact =
    record?.inputs.heldOut === hashes[setName(ind)] &&
    (await stat(path).catch(() => undefined)) &&
    record?.outputs[GUARD_FILE] === (await sha256File(path));
  if (!record || !isIntact) return undefined;
  const model = await readModel(path);
  const { method, questions = [], calibration } = guardInfo(model, path);
  const answered = questions.length > 1 ? questions : [];
  const score = async (file: string): Promise<GuardedScores> => {
    const wanted = ['ood_score', ...answered.map((question) => `${question}_score`)];
    const scores = await guardOnFeatures(model, wanted, path, file, onProgress);
    const answers = answered.map((question) => [question, scores[`${question}_score`]]);
    return { ood: scores.ood_score, ...Object.fromEntries(answers) };
  };
  const known = await score(ind);
  const sets = new Map<string, GuardedScores>();
  for (const file of oods) sets.set(setName(file), await score(file));
  return { method, calibration, ind: known, sets };
}

/**
 * Outputs of a guard, a number an image each, for the images of a feature file.
 *
 * @param where the guard's file, for errors
 * @throws GraphError where it needs more than the features
 */
export async function guardOnFeatures<Output extends string>(
  guarded: ModelProto,
  outputs: readonly Output[],
  where: string,
  file: string,
  onProgress?: OnProgress,
): Promise<Record<Output, Float64Array>> {
  const scorer = partBehind(guarded, await typesOf(file), outputs, where);
  const scores = await outputsOnFeatures(scorer, file, { outputs, device: 'cpu', onProgress });
  const named = outputs.map((name) => [name, Float64Array.from(scores.get(name)!)]);
  return Object.fromEntries(named) as Record<Output, Float64Array>;
}

/** The types of the layers of a feature file, as a graph's inputs. */
async function typesOf(file: string): Promise<ReadonlyMap<string, ValueType>> {
  const features = await openFeatures(file);
  try {
    return new Map(
      featureLayers(features).map(({ tap, width }) => [
        tap,
        { elemType: ElementType.float, shape: ['batch', width] },
      ]),
    );
  } finally {
    features.close();
  }
}
