import type { OnProgress } from '../../common/progress.ts';
import { decisionModel } from '../../detectors/decision-model.ts';
import type { Aggregation } from '../../detectors/layer-aggregation.ts';
import { type Calibration, calibrate } from '../../evaluation/conformal.ts';
import { quantizationOf } from '../../graph/classifier/quantized.ts';
import { readModel } from '../../graph/read.ts';
import { setMetadata } from '../../graph/rewrite.ts';
import { writeModel } from '../../graph/write.ts';
import type { DeviceName } from '../../runtime/device.ts';
import { type FeatureGraph, withTaps } from '../features/feature-graph.ts';
import { outputsOnFeatures } from '../features/feature-rows.ts';
import { type OnLeftOut, tellLeftOut } from '../open-images.ts';
import type { RunFolder } from '../run-folder.ts';
import { checkCalibrationImages, checkSpread } from './calibration-images.ts';
import { type EarlyExitReport, guardWithEarlyExit } from './early-exit.ts';
import type { CalibratedGuard, FittedGuard, GuardDescription } from './fitted-guard.ts';
import { type FoundSet, findSets } from './found-sets.ts';
import { type DesignOptions, designOf, type GuardPlan, planGuard } from './guard-plan.ts';
import { guardMetadata } from './guarded-file.ts';
import { guardedModel, verifyGuarded } from './guarded-model.ts';
import { type HalfReport, halveGuard } from './half-guard.ts';
import { type FittedLayerGuard, fitLayerGuard } from './layer-guard.ts';
import { type LostAuroc, lostAuroc } from './lost-auroc.ts';
import { fitMethodGuard } from './method-guard.ts';
import { fitQuestionGuard } from './question-guard.ts';
import { compareRuntimes, floatErrors, type RuntimeComparison, type TrialImages } from './runtimes.ts';
import { trialImages } from './trial-images.ts';

export interface GuardOptions extends DesignOptions {
  /** False-alarm rate, (0, 1); 5 % where absent. */
  readonly rate?: number;
  /** Confidence of the stated bounds of the rate, (0, 1); 95 % where absent. */
  readonly confidence?: number;
  /** Whether `guarded-half.onnx` is written too: weights in half floats, calibrated by itself. */
  readonly half?: boolean;
  /** Another run folder, whose guard this one is compared with: that of the classifier before it was quantised, say. */
  readonly beside?: string;
  /** Name of the InD set; the one that the run folder has features of, where absent. */
  readonly ind?: string;
  readonly device?: DeviceName;
  /** Bytes that running the network may take beyond its weights; 2 GiB where absent. */
  readonly memory?: number;
  readonly onProgress?: OnProgress;
  readonly onLeftOut?: OnLeftOut;
}

/** How a guard was made, and what it finds. */
export type GuardReport = GuardDescription & {
  readonly calibration: Calibration;
  /** The run's OOD sets: AUROC against the calibration images, and the share that is called OOD, by the decision and by each question. */
  readonly sets: readonly FoundSet[];
  /** What whoever deploys it should know, in a line each. */
  readonly notes: readonly string[];
  /** What the written file says at other optimisation levels and batch sizes. */
  readonly runtimes: RuntimeComparison;
  readonly earlyExit?: EarlyExitReport;
  readonly half?: HalfReport;
  readonly beside?: readonly LostAuroc[];
  /** Of the file, relative to the run folder. */
  readonly file: string;
  readonly seconds: number;
  readonly done: 'now' | 'before';
};

/** The guard, in the run folder. */
export const GUARD_FILE = 'guarded.onnx';
const EARLY_EXIT_FILE = 'guarded-early-exit.onnx';

/**
 * Writes `guarded.onnx`: pixels in, logits, label, score, p-value and decision out, and what explains them. Training images fit it;
 * the run's InD test images, which neither the backbone nor the guard have seen, set centres, scales and ranks.
 *
 * The written file is read back, compared with its pieces on images made for that, and run in several ways on held-out images.
 *
 * @throws RunError where features or detectors are missing, or calibration images can promise nothing; UsageError where there are too
 * few of them for the rate, or options exclude each other; DetectorError where nothing can be fitted; GraphError where the file
 * does not do what its pieces do
 *
 * @example
 * ```ts
 * import { guardRun, RunFolder } from 'la-ood/guard';
 *
 * const { file } = await RunFolder.use('runs/mine', (run) => guardRun(run, { rate: 0.05 }));
 * console.log(file); // guarded.onnx
 * ```
 */
export async function guardRun(run: RunFolder, options: GuardOptions = {}): Promise<GuardReport> {
  const { rate = 0.05, confidence = 0.95, ind, onProgress, onLeftOut } = options;
  const plan = await planGuard(run, designOf(options), ind, onProgress);
  const { design, files, classNames, hashes } = plan;
  tellLeftOut(run, [files.heldOut, ...files.oods, ...(files.train ? [files.train] : [])], onLeftOut);
  const { record, done } = await run.do({
    name: 'guard',
    settings: {
      ...(design.kind === 'method' ? { kind: 'method', detector: design.method.name } : design),
      ...{ rate, confidence, ...(classNames && { classNames }) },
    },
    inputs: hashes,
    run: () => makeGuard(run, plan, { ...options, rate, confidence }),
  });
  const results = record.results as unknown as Omit<GuardReport, 'file' | 'seconds' | 'done'>;
  const report = { ...results, file: GUARD_FILE, seconds: record.seconds, done } as GuardReport;
  const { half, beside } = options;
  return {
    ...report,
    ...(half && { half: await halfOf(run, plan, report, options) }),
    ...(beside !== undefined && { beside: await lostAuroc(run, report.sets, beside) }),
  };
}

async function halfOf(
  run: RunFolder,
  { graph, files, hashes }: GuardPlan,
  { sets }: GuardReport,
  { device, memory, onProgress }: GuardOptions,
): Promise<HalfReport> {
  const { record } = await run.do({
    name: 'guard in half floats',
    settings: {},
    inputs: { ...hashes, guard: run.record('guard')!.outputs[GUARD_FILE] },
    run: async () => {
      const before = new Map(sets.map(({ name, auroc }) => [name, auroc]));
      const running = { device, memory, onProgress };
      const results = await halveGuard(run, GUARD_FILE, graph, files, before, running);
      return { outputs: [results.file], results: { ...results } };
    },
  });
  return record.results as unknown as HalfReport;
}

type Settings = GuardOptions & Required<Pick<GuardOptions, 'rate' | 'confidence'>>;

async function makeGuard(run: RunFolder, plan: GuardPlan, options: Settings) {
  const { graph, files } = plan;
  const calibrationNotes = await checkCalibrationImages(files, options.rate);
  const trial = await trialImages(run, files.heldOut, graph);
  const fitted = await fitGuard(plan, trial, options);
  const calibrated = await calibrateGuard(fitted, plan, options);
  const calibration = calibrate(calibrated.known.ood, options.rate, options.confidence);
  const sets = await findSets(fitted, calibrated, calibration, plan, options);
  const notes = [...calibrationNotes, ...fitted.notes, ...quantisationNotes(graph)];
  const report = { ...fitted.description, calibration, sets, notes };
  const runtimes = await writeGuard(run, plan, calibrated, report, trial, options);
  const { design } = plan;
  if (design.kind !== 'layers' || !design.earlyExit)
    return { outputs: [GUARD_FILE], results: { ...report, runtimes } };
  const { aggregation } = design;
  const earlyExit = await writeEarlyExit(run, plan, fitted as FittedLayerGuard, report, {
    ...options,
    aggregation,
  });
  return { outputs: [GUARD_FILE, EARLY_EXIT_FILE], results: { ...report, runtimes, earlyExit } };
}

function quantisationNotes({ model }: FeatureGraph): string[] {
  const quantization = quantizationOf(model);
  if (!quantization) return [];
  return [
    `the classifier is quantised (${quantization}), and its guard calibrated by itself; what that costs in AUROC says a guard beside (\`beside\`) that of the original, with the same OOD sets`,
  ];
}

async function fitGuard(
  { design, graph, files, hashes }: GuardPlan,
  trial: TrialImages,
  settings: Settings,
): Promise<FittedGuard> {
  const { onProgress } = settings;
  const { backbone } = hashes;
  const train = files.train!;
  switch (design.kind) {
    case 'layers':
      return fitLayerGuard(design.detector, design.aggregation, graph, { ...files, backbone }, onProgress);
    case 'method':
      return fitMethodGuard(design.method, graph, train, backbone, onProgress);
    case 'questions': {
      const errors =
        files.corrupted && (await floatErrors(withTaps(graph, graph.conditionTaps), trial, settings));
      return fitQuestionGuard(
        design.watch.includes('content'),
        graph,
        { train, corrupted: files.corrupted, backbone },
        errors || undefined,
        onProgress,
      );
    }
  }
}

async function calibrateGuard(
  fitted: FittedGuard,
  { files, hashes }: GuardPlan,
  { rate, device, memory, onProgress }: Settings,
): Promise<CalibratedGuard> {
  const running = { backbone: hashes.backbone, device, memory, onProgress };
  const calibrated = fitted.calibrate(
    await outputsOnFeatures(fitted.components, files.heldOut, running),
    rate,
  );
  checkSpread(calibrated.known.ood, files.heldOut);
  return calibrated;
}

/** What is known of a guard before it is written. */
type Unwritten = GuardDescription & Pick<GuardReport, 'calibration'>;

/** Writes the guard, and verifies what was written before it takes its place. */
async function writeGuard(
  run: RunFolder,
  { graph, where, classNames, hashes }: GuardPlan,
  { model, known }: CalibratedGuard,
  report: Unwritten,
  trial: TrialImages,
  settings: Settings,
): Promise<RuntimeComparison> {
  const { calibration } = report;
  const watched = withTaps(
    graph,
    model.graph.input.map(({ name }) => name),
  );
  const classes = graph.widths[graph.taps.indexOf(graph.logits)];
  const decision = decisionModel(graph.logits, classes, known.ood, calibration.threshold);
  const metadata = guardMetadata(report, calibration, classNames, hashes);
  let runtimes: RuntimeComparison | undefined;
  await writeModel(run.file(GUARD_FILE), guardedModel(watched, model, decision, metadata, where), {
    check: async (written) => {
      const file = run.file(GUARD_FILE);
      const guard = await readModel(written);
      await verifyGuarded(guard, file, watched, model, known.ood, calibration.threshold);
      runtimes = await compareRuntimes(guard, file, trial, calibration, settings);
    },
  });
  return runtimes!;
}

async function writeEarlyExit(
  run: RunFolder,
  { graph, where, files, classNames, hashes }: GuardPlan,
  { detectors, widths }: FittedLayerGuard,
  report: Unwritten,
  {
    aggregation,
    rate,
    confidence,
    device,
    memory,
    onProgress,
  }: Settings & { readonly aggregation: Aggregation },
): Promise<EarlyExitReport> {
  const running = { backbone: hashes.backbone, device, memory, onProgress };
  const early = await guardWithEarlyExit(withTaps(graph, widths.keys()), detectors, {
    ...{ aggregation, rate, confidence, where, oods: files.oods },
    ...{ heldOut: files.heldOut, widths, running },
  });
  const metadata = {
    ...guardMetadata(report, early.report.calibration, classNames, hashes),
    ...early.metadata,
  };
  await writeModel(run.file(EARLY_EXIT_FILE), setMetadata(early.model, metadata), { check: early.verify });
  return { ...early.report, file: EARLY_EXIT_FILE };
}
