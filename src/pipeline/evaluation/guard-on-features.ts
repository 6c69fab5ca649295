import { stat } from 'node:fs/promises';
import { openFeatures } from '../../../converters/hdf5/open-features.ts';
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
import { GUARD_FILE } from '../guard/guard-run.ts';
import { calibrationScores } from '../guard/guarded-file.ts';
import type { RunFolder } from '../run-folder.ts';

/**
 * What the run's guard says of features: of OOD sets `guarded.onnx` from the pooled taps on, so that no image is needed; of the
 * InD images, which calibrated it, what the file holds of them. Each was compared with the others there: scored anew it would be
 * compared with itself too, seem more usual than a new InD image is, and make the guard look better than it is.
 *
 * @param hashes SHA-256 of the feature files by the names of their sets
 * @returns undefined where there is no guard, or it was calibrated on other features
 */
export async function guardScores(
  run: RunFolder,
  ind: string,
  oods: readonly string[],
  hashes: Readonly<Record<string, string>>,
  { memory, onProgress }: { readonly memory?: number; readonly onProgress?: OnProgress } = {},
): Promise<GuardScores | undefined> {
  const record = run.record('guard');
  const path = run.file(GUARD_FILE);
  const isIntact =
    record?.inputs.heldOut === hashes[setName(ind)] &&
    (await stat(path).catch(() => undefined)) &&
    record?.outputs[GUARD_FILE] === (await sha256File(path));
  if (!record || !isIntact) return undefined;
  const model = await readModel(path);
  const { method, questions = [], calibration, scores } = guardInfo(model, path);
  const answered = questions.length > 1 ? questions : [];
  const known = answered.map((question) => [question, calibrationScores(model, question, path)]);
  const wanted = ['ood_score', ...answered.map((question) => `${question}_score`)];
  const sets = new Map<string, GuardedScores>();
  for (const file of oods) {
    const own = await guardOnFeatures(model, wanted, path, file, { memory, onProgress });
    const answers = answered.map((question) => [question, own[`${question}_score`]]);
    sets.set(setName(file), { ood: own.ood_score, ...Object.fromEntries(answers) });
  }
  return { method, calibration, ind: { ood: scores, ...Object.fromEntries(known) }, sets };
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
  running: { readonly memory?: number; readonly onProgress?: OnProgress } = {},
): Promise<Record<Output, Float64Array>> {
  const scorer = partBehind(guarded, await typesOf(file), outputs, where);
  const scores = await outputsOnFeatures(scorer, file, { outputs, device: 'cpu', ...running });
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
