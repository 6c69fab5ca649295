import { stat } from 'node:fs/promises';
import { openFeatures } from '../../../converters/hdf5/features.ts';
import { sha256File } from '../../common/files.ts';
import type { OnProgress } from '../../common/progress.ts';
import type { GuardScores } from '../../evaluation/guard-scores.ts';
import { ElementType, type ModelProto } from '../../graph/onnx.ts';
import { partBehind } from '../../graph/part.ts';
import { readModel } from '../../graph/read.ts';
import { GraphSession } from '../../runtime/graph-session.ts';
import { featureLayers, setName } from '../features/feature-files.ts';
import { layersOf, rowsFitting, runOnFeatures } from '../features/feature-rows.ts';
import { GUARD_FILE, type GuardReport } from '../guard/guard.ts';
import { halves } from '../guard/halves.ts';
import type { RunFolder } from '../run-folder.ts';

interface RunOptions {
  /** Bytes that running it may take beyond what it holds; 2 GiB where absent. */
  readonly memory?: number;
  readonly onProgress?: OnProgress;
}

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
  options: RunOptions = {},
): Promise<GuardScores | undefined> {
  const record = run.record('guard');
  const path = run.file(GUARD_FILE);
  const isIntact =
    record?.inputs.heldOut === hashes[setName(ind)] &&
    (await stat(path).catch(() => undefined)) &&
    record?.outputs[GUARD_FILE] === (await sha256File(path));
  if (!record || !isIntact) return undefined;
  const report = record.results as unknown as GuardReport;
  const model = await readModel(path);
  const known = await scoresOf(model, path, ind, options);
  // A guard of questions calibrates on all held-out images, one by layers on those that did not scale its scores.
  const [, calibrationRows] = halves(Number(record.settings.seed));
  const indRows =
    report.kind === 'questions' ? Uint32Array.from(known, (_, row) => row) : calibrationRows(known.length);
  const ood = new Map<string, Float32Array>();
  for (const file of oods) ood.set(setName(file), await scoresOf(model, path, file, options));
  return {
    method:
      report.kind === 'questions'
        ? report.questions.join(' and ')
        : `${report.detectors.join(' + ')}, ${report.aggregation}`,
    calibration: report.calibration,
    ind: Float32Array.from(indRows, (row) => known[row]),
    indRows,
    ood,
  };
}

async function scoresOf(
  guarded: ModelProto,
  where: string,
  file: string,
  { memory, onProgress }: RunOptions,
): Promise<Float32Array> {
  const features = await openFeatures(file);
  try {
    const types = featureLayers(features).map(
      ({ tap, width }) => [tap, { elemType: ElementType.float, shape: ['batch', width] }] as const,
    );
    const scorer = partBehind(guarded, new Map(types), ['ood_score'], where);
    const session = await GraphSession.open(scorer, { device: 'cpu' });
    try {
      const taps = scorer.graph.input.map(({ name }) => name);
      const layers = layersOf(features, taps, file, undefined);
      const scores = new Float32Array(features.count);
      const progress = { task: `guard ${setName(file)}`, onProgress, rows: rowsFitting(scorer, memory) };
      for await (const { start, outputs } of runOnFeatures(
        session,
        features,
        layers,
        ['ood_score'],
        progress,
      ))
        scores.set(outputs.ood_score.data as Float32Array, start);
      return scores;
    } finally {
      await session.close();
    }
  } finally {
    features.close();
  }
}
