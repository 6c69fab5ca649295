import { stat } from 'node:fs/promises';
import { basename, resolve } from 'node:path';
import type { Geometry } from '../../../data/image-set.ts';
import { writeAtomically } from '../../common/files.ts';
import type { OnProgress } from '../../common/progress.ts';
import type { LayerSvm } from '../../detectors/layer-svm.ts';
import { type EvaluateOptions, type Evaluation, pairings } from '../../evaluation/evaluate.ts';
import type { GuardScores } from '../../evaluation/guard-scores.ts';
import { reportHtml } from '../../evaluation/report/report.ts';
import type { Gallery, ReportStep } from '../../evaluation/report/report-content.ts';
import type { Layer, ScoredSet } from '../../evaluation/scored-set.ts';
import { readModel } from '../../graph/read.ts';
import { featureGraph } from '../features/feature-graph.ts';
import type { RunFolder } from '../run-folder.ts';
import { programVersion } from '../versions.ts';
import { galleryOf } from './report-images.ts';

/** An evaluation, and what it was made of. */
export interface ReportSources {
  readonly evaluation: Evaluation;
  /** What makes its figures doubtful. */
  readonly warnings: readonly string[];
  readonly detectors: readonly LayerSvm[];
  readonly scores: {
    readonly layers: readonly Layer[];
    readonly ind: ScoredSet;
    readonly oods: readonly ScoredSet[];
    readonly options: EvaluateOptions;
  };
  readonly guard?: GuardScores;
  /** The feature files, in the same order. */
  readonly files: { readonly ind: string; readonly oods: readonly string[] };
  readonly onProgress?: OnProgress;
}

const FILE = 'report.html';

/**
 * Writes `report.html`: the evaluation to look at, with images of the sets that can be opened, and with the run's guard
 * where there is one.
 *
 * @returns the file, relative to the run folder
 */
export async function writeReport(run: RunFolder, sources: ReportSources): Promise<string> {
  const { evaluation, warnings, detectors, scores, guard, files, onProgress } = sources;
  const { accuracy, classes } = (run.record(`features/${basename(files.ind, '.hdf5')}`)?.results ?? {}) as {
    accuracy?: number;
    classes?: readonly string[];
  };
  const { seconds = {} } = (run.record('fit')?.results ?? {}) as {
    seconds?: Readonly<Record<string, number>>;
  };
  const size = await inputSize(run);
  const galleries: Gallery[] = [];
  const sets = [
    [files.ind, scores.ind] as const,
    ...files.oods.map((file, s) => [file, scores.oods[s]] as const),
  ];
  for (const [file, set] of sets) {
    galleries.push(await galleryOf(run, file, set, size, classes));
    onProgress?.({ task: 'report', done: galleries.length, total: sets.length, unit: 'sets' });
  }
  const html = reportHtml({
    name: basename(resolve(run.path)),
    program: `la-ood ${programVersion}`,
    evaluation,
    warnings,
    pairings: pairings(scores.layers, scores.ind, scores.oods, scores.options),
    guard,
    accuracy,
    trainingImages: detectors.find(({ fit }) => fit)?.fit?.samples,
    galleries,
    detectors: detectors.map((detector) => ({ ...detector, seconds: seconds[detector.tap] })),
    steps: stepsOf(run),
  });
  await writeAtomically(run.file(FILE), html);
  return FILE;
}

/** What the run's classifier takes; undefined where there is none, as beside features that the original computed. */
async function inputSize(run: RunFolder): Promise<Geometry | undefined> {
  const path = run.file('backbone.onnx');
  if (!(await stat(path).catch(() => undefined))) return undefined;
  return featureGraph(await readModel(path), path).size;
}

/** Every step but this one, which is not finished. */
function stepsOf(run: RunFolder): ReportStep[] {
  return run
    .records()
    .filter(([name]) => name !== 'evaluate')
    .map(([name, { key: _, ...record }]) => ({
      ...{ name, seconds: record.seconds, device: record.device, record },
      images: typeof record.results.images === 'number' ? record.results.images : undefined,
    }));
}
