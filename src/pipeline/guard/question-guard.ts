import { conditionsOf } from '../../../data/derived/conditions.ts';
import { DetectorError, RunError } from '../../common/errors.ts';
import type { OnProgress } from '../../common/progress.ts';
import { decisionModel } from '../../detectors/decision-model.ts';
import { type AnswerCalibration, answersModel } from '../../detectors/guard/answers-model.ts';
import { answersOf } from '../../detectors/guard/combination.ts';
import { contentMethods } from '../../detectors/guard/content.ts';
import { type Calibration, calibrate } from '../../evaluation/conformal.ts';
import { auroc } from '../../evaluation/metrics.ts';
import { readModel } from '../../graph/read.ts';
import { writeModel } from '../../graph/write.ts';
import type { DeviceName } from '../../runtime/device.ts';
import { setName } from '../features/feature-files.ts';
import { type FeatureGraph, withTaps } from '../features/feature-graph.ts';
import { calibrateParts, componentsOf } from './calibrate-parts.ts';
import { calibrationImages } from './calibration-images.ts';
import { type FittedParts, fitParts } from './guard-parts.ts';
import { guardedModel, verifyGuarded } from './guarded-model.ts';
import { compareRuntimes, floatErrors, type RuntimeComparison, type TrialImages } from './runtimes.ts';
import type { Scorer } from './scorer.ts';

/** What a guard answers: whether the content is what was taught, whether the conditions are those of the training images. */
export const questions = ['content', 'conditions'] as const;
export type Question = (typeof questions)[number];

/** The files that a guard of questions is made of. */
export interface QuestionSources {
  /** Feature files: of training images, of some of them changed, of held-out InD images, and of OOD sets to report on. */
  readonly train: string;
  readonly corrupted?: string;
  readonly heldOut: string;
  readonly oods: readonly string[];
  /** SHA-256 of the backbone that they must be of. */
  readonly backbone: string;
}

export interface QuestionOptions {
  readonly watch: readonly Question[];
  readonly rate: number;
  readonly confidence: number;
  /** Held-out images that the written file is tried on, and the float error of features measured on. */
  readonly trial: TrialImages;
  /** Of the file that is written, beside what it says of itself. */
  readonly metadata: (report: Omit<QuestionReport, 'runtimes'>) => Readonly<Record<string, string>>;
  /** The backbone's file, for errors. */
  readonly where: string;
  readonly device?: DeviceName;
  /** Bytes that running the network may take beyond its weights; 2 GiB where absent. */
  readonly memory?: number;
  readonly onProgress?: OnProgress;
}

/** How a guard was made, and what it finds. */
export interface QuestionReport {
  readonly questions: readonly Question[];
  /** What `component_scores` are of: methods, and changes of images. */
  readonly components: readonly string[];
  /** What `condition` numbers. */
  readonly conditions: readonly string[];
  readonly calibration: Calibration;
  /** What class means are made of. */
  readonly labels: 'class labels' | 'predicted classes';
  /** What whoever deploys it should know, in a line each. */
  readonly notes: readonly string[];
  /** What the written file says at other optimisation levels and batch sizes. */
  readonly runtimes: RuntimeComparison;
  /** The run's OOD sets: AUROC against the calibration images, and the share that is called OOD, by the decision and by each question. */
  readonly sets: readonly QuestionSet[];
}

export interface QuestionSet {
  readonly name: string;
  readonly auroc: number;
  readonly found: number;
  readonly byQuestion: Readonly<
    Partial<Record<Question, { readonly auroc: number; readonly found: number }>>
  >;
}

/**
 * Fits, calibrates, writes and verifies a guard that answers questions.
 *
 * @throws RunError where features are missing or of another backbone; DetectorError where no question can be answered; UsageError
 * where there are too few images for the rate; GraphError where the file does not do what its pieces do
 */
export async function guardByQuestions(
  graph: FeatureGraph,
  sources: QuestionSources,
  options: QuestionOptions,
  file: string,
): Promise<QuestionReport> {
  const { rate, confidence, where } = options;
  const known = await calibrationImages(sources, graph, rate);
  const fitted = await fitWatched(graph, sources, options);
  const components = await componentsOf(fitted, sources.heldOut, sources.backbone, options);
  const { combination, answers } = calibrateParts(components);
  const calibration = calibrate(answers.ood, rate, confidence);
  if (answers.ood.every((score) => score === answers.ood[0]))
    throw new DetectorError('calibration', 'all its images have one score', 'take images that differ');

  const sorted: AnswerCalibration = {
    content: answers.content && Float32Array.from(answers.content).sort(),
    conditions: answers.conditions && Float32Array.from(answers.conditions).sort(),
  };
  const { parts, inputs } = fitted;
  const model = answersModel(parts, inputs, combination, sorted, rate);
  const scorer: Scorer = {
    model,
    taps: model.graph.input.map(({ name }) => name),
    outputs: model.graph.output.map(({ name }) => name),
  };
  const sets: QuestionSet[] = [];
  for (const ood of sources.oods) {
    const own = answersOf(await componentsOf(fitted, ood, sources.backbone, options), combination);
    const fares = (known: Float32Array, scores: Float32Array) => {
      const { threshold } = calibrate(known, rate);
      const found = scores.reduce((sum, score) => sum + (score > threshold ? 1 : 0), 0) / scores.length;
      return { auroc: auroc(known, scores), found };
    };
    const byQuestion = Object.fromEntries(
      questions.flatMap((question) =>
        answers[question] && own[question] ? [[question, fares(answers[question], own[question])]] : [],
      ),
    );
    sets.push({ name: setName(ood), ...fares(answers.ood, own.ood), byQuestion });
  }
  const { conditions } = parts;
  const report: Omit<QuestionReport, 'runtimes'> = {
    questions: questions.filter((question) => answers[question]),
    components: [
      ...parts.content.map(({ name }) => name),
      ...(conditions?.directions.changes ?? []).map((change) => conditionsOf(graph.size)[change].name),
    ],
    conditions: conditions?.names ?? [],
    calibration,
    labels: fitted.labels,
    notes: [
      ...known.notes,
      ...fitted.notes,
      ...fitted.refused.map(({ method, reason }) => `without ${method.title}: ${reason}`),
    ],
    sets,
  };
  const watched = withTaps(graph, scorer.taps);
  const decision = decisionModel(
    graph.logits,
    graph.widths[graph.taps.indexOf(graph.logits)],
    answers.ood,
    calibration.threshold,
  );
  let runtimes: RuntimeComparison | undefined;
  await writeModel(file, guardedModel(watched, scorer, decision, options.metadata(report), where), {
    check: async (written) => {
      const guard = await readModel(written);
      await verifyGuarded(guard, file, watched, scorer, answers.ood, calibration.threshold, options.memory);
      runtimes = await compareRuntimes(guard, file, options.trial, calibration, options);
    },
  });
  return { ...report, runtimes: runtimes! };
}

async function fitWatched(
  graph: FeatureGraph,
  { train, corrupted, backbone }: QuestionSources,
  { watch, trial, ...options }: QuestionOptions,
): Promise<FittedParts> {
  const wanted = watch.includes('content') ? contentMethods : [];
  if (watch.includes('conditions') && !corrupted)
    throw new RunError(
      train,
      'has no changed images beside it',
      'run la-ood features --train SET once more, or take --watch content',
    );
  const files = { train, corrupted: watch.includes('conditions') ? corrupted : undefined };
  const errors = files.corrupted && (await floatErrors(withTaps(graph, graph.conditionTaps), trial, options));
  const fitted = await fitParts(wanted, graph, files, backbone, errors || undefined, options.onProgress);
  if (wanted.length > 0 && fitted.parts.content.length === 0)
    throw new DetectorError(
      'content',
      `cannot be told here: ${fitted.refused.map(({ method, reason }) => `${method.title}: ${reason}`).join('; ')}`,
      'take --watch conditions',
    );
  return fitted;
}
