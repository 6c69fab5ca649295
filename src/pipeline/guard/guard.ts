import { basename } from 'node:path';
import { RunError, UsageError } from '../../common/errors.ts';
import { sha256File, sha256Files } from '../../common/files.ts';
import type { OnProgress } from '../../common/progress.ts';
import type { DetectorKind } from '../../detectors/detector-panel.ts';
import { readModel } from '../../graph/read.ts';
import type { DeviceName } from '../../runtime/device.ts';
import { corruptedFile, featureFile, oodFiles, setName } from '../features/feature-files.ts';
import { type FeatureGraph, featureGraph } from '../features/feature-graph.ts';
import type { RunFolder } from '../run-folder.ts';
import type { EarlyExitReport } from './early-exit.ts';
import { guardMetadata } from './guarded-file.ts';
import { guardByLayers, type LayerReport } from './layer-guard.ts';
import { guardByQuestions, type Question, type QuestionReport, questions } from './question-guard.ts';
import type { Aggregation } from './scorer.ts';
import { trialImages } from './trial-images.ts';

export interface GuardOptions {
  /** The questions that it answers; both where absent. */
  readonly watch?: readonly Question[];
  /** Detectors of layers in place of the two questions: their kinds; the paper's SVMs for `max`, Gaussians and SVMs for `evidence`, where absent. */
  readonly detectors?: readonly DetectorKind[];
  /** How the scores of detectors of layers become one. `max`, the paper's, takes one kind of detectors. */
  readonly aggregation?: Aggregation;
  /** False-alarm rate, (0, 1); 5 % where absent. */
  readonly rate?: number;
  /** Confidence of the stated upper bound of the rate, (0, 1); 95 % where absent. */
  readonly confidence?: number;
  /** Whether `guarded-early-exit.onnx` is written too: images leave the network as soon as they are seen to be OOD. Takes detectors of layers. */
  readonly earlyExit?: boolean;
  /** Name of the InD set; the one that the run folder has features of, where absent. */
  readonly ind?: string;
  /** Seed of the split of the held-out images, of a guard by layers. */
  readonly seed?: number;
  readonly device?: DeviceName;
  /** Bytes that running the network may take beyond its weights; 2 GiB where absent. */
  readonly memory?: number;
  readonly onProgress?: OnProgress;
}

/** A guard of either kind. */
export type GuardReport = (
  | ({ readonly kind: 'questions' } & QuestionReport)
  | ({ readonly kind: 'layers' } & Omit<LayerReport, 'earlyExit'> & { readonly earlyExit?: EarlyExitReport })
) & {
  /** Of the file, relative to the run folder. */
  readonly file: string;
  readonly seconds: number;
  readonly done: 'now' | 'before';
};

/** The guard, in the run folder. */
export const GUARD_FILE = 'guarded.onnx';
const EARLY_EXIT_FILE = 'guarded-early-exit.onnx';

const defaultDetectors: Readonly<Record<Aggregation, readonly DetectorKind[]>> = {
  evidence: ['gaussian', 'ocsvm'],
  max: ['ocsvm'],
};

/**
 * Writes `guarded.onnx`: pixels in, logits, label, score, p-value and decision out, and what explains them. The run's InD
 * test features are the held-out images: neither the backbone nor what the guard is made of have seen them.
 *
 * The written file is read back and compared with its pieces on images made for that.
 *
 * @throws RunError where features or detectors are missing; UsageError where there are too few images for the rate, or options
 * exclude each other; DetectorError where nothing can be fitted; GraphError where the file does not do what its pieces do
 */
export async function guardRun(run: RunFolder, options: GuardOptions = {}): Promise<GuardReport> {
  const selection = await select(run, options);
  const { record, done } = await run.do({
    name: 'guard',
    settings: selection.settings,
    inputs: selection.inputs,
    run: selection.make,
  });
  const results = record.results as unknown as Omit<GuardReport, 'file' | 'seconds' | 'done'>;
  return { ...results, file: GUARD_FILE, seconds: record.seconds, done } as GuardReport;
}

/** What a guard depends on, and how it is made. */
interface Selection {
  readonly settings: Readonly<Record<string, unknown>>;
  /** SHA-256 of what it is made of, by name. */
  readonly inputs: Readonly<Record<string, string>>;
  make(): Promise<{ outputs: string[]; results: Record<string, unknown> }>;
}

async function select(run: RunFolder, options: GuardOptions): Promise<Selection> {
  const { rate = 0.05, confidence = 0.95, ind, device, memory, onProgress } = options;
  const path = run.file('backbone.onnx');
  const graph = featureGraph(await readModel(path), path);
  const heldOut = await featureFile(run, 'test', ind);
  const oods = await oodFiles(run, heldOut).catch((error) => {
    if (error instanceof RunError) return [];
    throw error;
  });
  const common = { rate, confidence, where: path, device, memory, onProgress };
  const backbone = await sha256File(path);
  const classNames = graph.classNames ?? classNamesOf(run, heldOut);
  const named = classNames && { classNames };
  const hashes = async (files: Readonly<Record<string, string | undefined>>) => ({
    backbone,
    ...(await hashesOf(run, { ...files, heldOut }, oods, onProgress)),
  });

  if (options.detectors || options.aggregation || options.earlyExit) {
    if (options.watch)
      throw new UsageError(
        '--watch',
        'chooses questions, which detectors of layers do not answer',
        'leave it out, or --detector, --aggregation and --early-exit',
      );
    const { aggregation = 'evidence', earlyExit = false, seed = 0 } = options;
    const detectors = options.detectors ?? defaultDetectors[aggregation];
    const sources = {
      features: detectors.some((kind) => kind !== 'ocsvm') ? await featureFile(run, 'train', ind) : undefined,
      svms: detectors.includes('ocsvm') ? run.file('detectors.onnx') : undefined,
    };
    const inputs = await hashes(sources);
    return {
      settings: {
        detectors: [...detectors],
        aggregation,
        rate,
        confidence,
        seed,
        ...named,
        ...(earlyExit && { earlyExit }),
      },
      inputs,
      async make() {
        const { earlyExit: early, ...report } = await guardByLayers(
          graph,
          { ...sources, heldOut, oods, backbone },
          {
            ...common,
            ...{ detectors, aggregation, seed },
            earlyExit: earlyExit ? run.file(EARLY_EXIT_FILE) : undefined,
            metadata: (report) => guardMetadata({ kind: 'layers', ...report }, classNames, inputs),
          },
          run.file(GUARD_FILE),
        );
        return {
          outputs: [GUARD_FILE, ...(early ? [EARLY_EXIT_FILE] : [])],
          results: {
            kind: 'layers',
            ...report,
            ...(early && { earlyExit: { ...early, file: EARLY_EXIT_FILE } }),
          },
        };
      },
    };
  }

  const watch = options.watch ?? questions;
  const train = await featureFile(run, 'train', ind);
  const sources = {
    train,
    corrupted: watch.includes('conditions') && hasConditions(graph) ? corruptedFile(train) : undefined,
  };
  const inputs = await hashes(sources);
  return {
    settings: { watch: [...watch], rate, confidence, ...named },
    inputs,
    async make() {
      const report = await guardByQuestions(
        graph,
        { ...sources, heldOut, oods, backbone },
        {
          ...common,
          watch: watch.filter((question) => question === 'content' || sources.corrupted),
          trial: await trialImages(run, heldOut, graph),
          metadata: (report) => guardMetadata({ kind: 'questions', ...report }, classNames, inputs),
        },
        run.file(GUARD_FILE),
      );
      return { outputs: [GUARD_FILE], results: { kind: 'questions', ...report } };
    },
  };
}

/** Whether a network has early maps that tell of conditions. */
function hasConditions({ conditionTaps }: FeatureGraph): boolean {
  return conditionTaps.length > 0;
}

/**
 * SHA-256 of what a guard is made of, by name, and of OOD sets that it is tried on.
 *
 * @throws RunError where one is missing
 */
async function hashesOf(
  run: RunFolder,
  files: Readonly<Record<string, string | undefined>>,
  oods: readonly string[],
  onProgress?: OnProgress,
): Promise<Record<string, string>> {
  const named = [
    ...Object.entries(files).filter((entry): entry is [string, string] => entry[1] !== undefined),
    ...oods.map((file): [string, string] => [setName(file), file]),
  ];
  const hashes = await sha256Files(
    named.map(([, file]) => file),
    onProgress,
  );
  return Object.fromEntries(
    named.map(([name, file], i) => {
      if (hashes[i] !== undefined) return [name, hashes[i]];
      throw new RunError(file, 'is missing', remedies[name]?.(run.path));
    }),
  );
}

/** What a person does where a file is missing. */
const remedies: Readonly<Record<string, (run: string) => string>> = {
  svms: (run) => `run la-ood fit --run ${run} first, or take --detector gaussian`,
  corrupted: (run) => `run la-ood features --run ${run} --train SET once more, or take --watch content`,
};

/** Accuracy from which on the held-out set's classes are taken for the classifier's, in its order. */
const SAME_CLASSES = 0.5;

/** The names of the classes, where the held-out set says them and the classifier is mostly right by them. */
function classNamesOf(run: RunFolder, heldOut: string): readonly string[] | undefined {
  const results = run.record(`features/${basename(heldOut, '.hdf5')}`)?.results;
  const { accuracy = 0, classes } = (results ?? {}) as { accuracy?: number; classes?: readonly string[] };
  return accuracy >= SAME_CLASSES ? classes : undefined;
}
