import { readFile, stat } from 'node:fs/promises';
import { openFeatures } from '../../../converters/hdf5/open-features.ts';
import { advice, command, option, RunError } from '../../common/errors.ts';
import { sha256Files, writeAtomically } from '../../common/files.ts';
import type { OnProgress } from '../../common/progress.ts';
import { BACKBONE_KEY, detectorsOfModel } from '../../detectors/detectors-model.ts';
import { aurocChart } from '../../evaluation/chart.ts';
import { type EvaluateOptions, type Evaluation, evaluate } from '../../evaluation/evaluate.ts';
import { methodsCsv } from '../../evaluation/method-panels.ts';
import type { SetKind } from '../../evaluation/method-table.ts';
import type { ScoredSet } from '../../evaluation/scored-set.ts';
import { layerCsv, summaryCsv, summaryJson } from '../../evaluation/tables.ts';
import { decodeModel } from '../../graph/read.ts';
import { getMetadata } from '../../graph/rewrite.ts';
import type { DeviceName } from '../../runtime/device.ts';
import { GraphSession } from '../../runtime/graph-session.ts';
import { type FeatureLayer, featureFile, oodFiles, setKind, setName } from '../features/feature-files.ts';
import { layersOf, type RowRuns, rowsAtOnce, runOnFeatures } from '../features/feature-rows.ts';
import { baselines, openBaselines } from '../methods/baselines.ts';
import type { MethodScorer } from '../methods/score-methods.ts';
import { leftOutOf, type OnLeftOut, tellLeftOut } from '../open-images.ts';
import type { RunFolder } from '../run-folder.ts';
import { warningsOf } from './evaluation-warnings.ts';
import { guardScores } from './guard-on-features.ts';
import { scoreRunMethods } from './score-run-methods.ts';
import { writeReport } from './write-report.ts';
import { wrongImages } from './wrong-images.ts';

export interface EvaluateRunOptions extends Omit<EvaluateOptions, 'guard' | 'methods'> {
  /** Name of the InD set; the one whose test features the run folder has, where absent. */
  readonly ind?: string;
  /** Names of the OOD sets; all that the run folder has test features of, where absent. */
  readonly ood?: readonly string[];
  /** Names of the sets that are near, far or shifted, over what was said when their features were computed. */
  readonly kinds?: Readonly<Record<string, SetKind>>;
  /** Names of methods to compare, or `all`; LA-OOD and three baselines where absent. */
  readonly methods?: readonly string[];
  /** Training images that methods by neighbours keep; all where absent. */
  readonly bank?: number;
  readonly device?: DeviceName;
  /** Bytes that scoring may take beyond what detectors and methods hold; 2 GiB where absent. */
  readonly memory?: number;
  readonly onProgress?: OnProgress;
  readonly onLeftOut?: OnLeftOut;
}

export interface EvaluateRunReport {
  readonly evaluation: Evaluation;
  /** The files written, relative to the run folder. */
  readonly files: readonly string[];
  readonly seconds: number;
  /** What makes figures doubtful, in a line each: images of an OOD set that are InD images, sets of different sizes, methods left out. */
  readonly warnings: readonly string[];
}

/**
 * Scores the InD test features and those of each OOD set with the run's detectors, and writes a table for each set and
 * a summary into `results/`, and all of it to look at into `report.html`.
 *
 * @throws RunError where detectors or features are missing, or belong to different backbones
 *
 * @example
 * ```ts
 * import { evaluateRun, RunFolder } from 'la-ood/guard';
 *
 * const { evaluation } = await RunFolder.use('runs/mine', (run) => evaluateRun(run));
 * for (const { laOod } of evaluation.sets) console.log(laOod.metrics.auroc);
 * ```
 */
export async function evaluateRun(
  run: RunFolder,
  options: EvaluateRunOptions = {},
): Promise<EvaluateRunReport> {
  const { ind: indName, ood: oodNames, kinds, methods, bank, device, memory, ...rest } = options;
  const { onProgress, onLeftOut, ...evaluation } = rest;
  const path = run.file('detectors.onnx');
  if (!(await stat(path).catch(() => undefined)))
    throw new RunError(path, 'is missing', advice`run ${command('fit', option('run', run.path))} first`);
  const model = decodeModel(await readFile(path), path);
  const detectors = detectorsOfModel(model, path);
  const backbone = getMetadata(model)[BACKBONE_KEY];

  const ind = await featureFile(run, 'test', indName);
  const oods = await oodFiles(run, ind, oodNames);
  const sets = [ind, ...oods];
  const fittedOn = methods ? [await featureFile(run, 'train', setName(ind))] : [];
  tellLeftOut(run, [...sets, ...fittedOn], onLeftOut);
  const [ofDetectors, ...ofSets] = await sha256Files([path, ...sets], onProgress);
  const inputs: Record<string, string> = { detectors: ofDetectors! };
  for (const [s, file] of sets.entries()) inputs[setName(file)] = ofSets[s]!;

  const scoredMethods =
    methods &&
    (await scoreRunMethods(run, ind, oods, { methods, device, memory, onProgress, ...(bank && { bank }) }));

  let result: Evaluation | undefined;
  let warnings: readonly string[] = [];
  const { record } = await run.do({
    name: 'evaluate',
    settings: { ...evaluation, ...(methods && { methods }), ...(bank && { bank }) },
    // Scores are not kept, so that an evaluation is always made anew: it takes seconds.
    inputs: { ...inputs, at: new Date().toISOString() },
    run: async () => {
      const session = await GraphSession.open(model, { device });
      const baselineScorer = await openBaselines(ind);
      try {
        const atOnce = rowsAtOnce(model, memory);
        const widths = new Map(detectors.map(({ tap, width }) => [tap, width]));
        const score = async (file: string) => {
          const { scores, layers } = await scoreFile(session, widths, file, backbone, {
            atOnce,
            tell: onProgress,
          });
          return { layers, scores: { ...scores, ...(await scoreBaselines(baselineScorer, file)) } };
        };
        const isWrong = await wrongImages(ind);
        const scored = await score(ind);
        const indScores = { ...scored.scores, ...(isWrong && { isWrong }) };
        const oodScores: ScoredSet[] = [];
        for (const file of oods) {
          const kind = kinds?.[setName(file)] ?? setKind(run, file);
          oodScores.push({ ...(await score(file)).scores, ...(kind && { kind }) });
        }
        const named = scored.layers.map(({ tap, index }) => ({ name: tap, index }));
        const guard = await guardScores(run, ind, oods, inputs, { memory, onProgress });
        const beside = { guard, methods: scoredMethods?.methods };
        result = evaluate(named, indScores, oodScores, { ...evaluation, ...beside, onProgress });
        warnings = [...(await warningsOf(result, ind, oods)), ...(scoredMethods?.notes ?? [])];
        const tables = await writeTables(run, result);
        const scores = { layers: named, ind: indScores, oods: oodScores, options: evaluation };
        const files = { ind, oods };
        const report = await writeReport(run, {
          ...{
            evaluation: result,
            warnings: [...warnings, ...leftOutNotes(run, sets)],
            detectors,
            scores,
            guard,
            files,
            onProgress,
          },
        });
        return { outputs: [...tables, report], device: session.device };
      } finally {
        await session.close();
        await baselineScorer?.close();
      }
    },
  });
  return { evaluation: result!, files: Object.keys(record.outputs), seconds: record.seconds, warnings };
}

/** How many files of each set were not read, for the report. */
function leftOutNotes(run: RunFolder, features: readonly string[]): string[] {
  return leftOutOf(run, features).map(
    ({ set, files }) => `files of ${set} that were left out, as they are not read: ${files.length}`,
  );
}

/** Scores a feature file, block by block. */
async function scoreFile(
  session: GraphSession,
  widths: ReadonlyMap<string, number>,
  path: string,
  backbone: string | undefined,
  running: Omit<RowRuns, 'task'>,
): Promise<{ scores: ScoredSet; layers: FeatureLayer[] }> {
  const name = setName(path);
  const features = await openFeatures(path);
  try {
    const taps = [...widths.keys()];
    const layers = layersOf(features, taps, path, backbone, widths);
    const { count } = features;
    const scores = taps.map(() => new Float32Array(count));
    for await (const { start, rows, outputs } of runOnFeatures(session, features, layers, ['layer_scores'], {
      ...running,
      task: `score ${name}`,
    })) {
      const values = outputs.layer_scores.data as Float32Array;
      for (let i = 0; i < rows; i++)
        for (let l = 0; l < taps.length; l++) scores[l][start + i] = values[i * taps.length + l];
    }
    return { scores: { name, count, layers: scores }, layers };
  } finally {
    features.close();
  }
}

/** MSP, maximum logit and energy by their titles, as far as there are any. */
async function scoreBaselines(
  scorer: MethodScorer | undefined,
  path: string,
): Promise<Pick<ScoredSet, 'baselines'>> {
  if (!scorer) return {};
  const scores = await scorer.score(path);
  const named = baselines.filter(({ name }) => scores.has(name));
  return { baselines: Object.fromEntries(named.map(({ name, title }) => [title, scores.get(name)!])) };
}

async function writeTables(run: RunFolder, evaluation: Evaluation): Promise<string[]> {
  const tables: [string, string][] = [
    ...evaluation.sets.map((set): [string, string] => [
      `results/${evaluation.ind}-vs-${set.ood}.csv`,
      layerCsv(set),
    ]),
    ['results/summary.csv', summaryCsv(evaluation)],
    ['results/methods.csv', methodsCsv(evaluation.methods)],
    ['results/summary.json', summaryJson(evaluation)],
    ['results/auroc.svg', aurocChart(evaluation)],
  ];
  for (const [file, text] of tables) await writeAtomically(run.file(file), text);
  return tables.map(([file]) => file);
}
