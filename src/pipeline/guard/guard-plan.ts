import { basename } from 'node:path';
import { type Advice, advice, command, option, RunError, UsageError } from '../../common/errors.ts';
import { sha256File, sha256Files } from '../../common/files.ts';
import type { OnProgress } from '../../common/progress.ts';
import { type Question, questions } from '../../detectors/guard/questions.ts';
import type { Aggregation } from '../../detectors/layer-aggregation.ts';
import type { Method } from '../../detectors/methods/method.ts';
import { chooseMethods } from '../../detectors/methods/method-registry.ts';
import { readModel } from '../../graph/read.ts';
import { corruptedFile, featureFile, oodFiles, setName } from '../features/feature-files.ts';
import { type FeatureGraph, featureGraph } from '../features/feature-graph.ts';
import type { RunFolder } from '../run-folder.ts';
import { type LayerMethod, layerMethods } from './layer-guard.ts';

/** How a guard is to score. */
export interface DesignOptions {
  /** The questions that it answers; both where absent. */
  readonly watch?: readonly Question[];
  /** A published method in place of the two questions, by its name. */
  readonly detector?: string;
  /** How the scores of detectors of layers become one: the paper's maximum for its SVMs, else their mean, where absent. */
  readonly aggregation?: Aggregation;
  /** Whether `guarded-early-exit.onnx` is written too: images leave the network as soon as they are seen to be OOD. Takes detectors of layers. */
  readonly earlyExit?: boolean;
}

export type Design =
  | { readonly kind: 'questions'; readonly watch: readonly Question[] }
  | {
      readonly kind: 'layers';
      readonly detector: LayerMethod;
      readonly aggregation: Aggregation;
      readonly earlyExit: boolean;
    }
  | { readonly kind: 'method'; readonly method: Method };

/** @throws UsageError where options exclude each other, or there is no method of a name */
export function designOf({ watch, detector, aggregation, earlyExit = false }: DesignOptions): Design {
  if (detector === undefined && aggregation === undefined && !earlyExit)
    return { kind: 'questions', watch: watch ?? questions };
  if (watch)
    throw new UsageError(
      option('watch'),
      'chooses questions, which a detector does not answer',
      advice`leave it out, or ${option('detector')}, ${option('aggregation')} and ${option('earlyExit')}`,
    );
  const name = detector ?? (aggregation === 'max' ? 'layer-svms' : 'layer-gaussians');
  const layerMethod = layerMethods.find((method) => method === name);
  if (layerMethod) {
    const own = layerMethod === 'layer-svms' ? 'max' : 'mean';
    return { kind: 'layers', detector: layerMethod, aggregation: aggregation ?? own, earlyExit };
  }
  if (aggregation !== undefined || earlyExit)
    throw new UsageError(
      option(aggregation === undefined ? 'earlyExit' : 'aggregation'),
      `is for detectors of layers, and ${name} is none`,
      advice`leave it out, or take ${option('detector', layerMethods.join(', '))}`,
    );
  return { kind: 'method', method: chooseMethods([name])[0] };
}

/** What a guard is made of. */
export interface GuardPlan {
  readonly design: Design;
  readonly graph: FeatureGraph;
  /** The backbone's file, for errors. */
  readonly where: string;
  readonly classNames?: readonly string[];
  readonly files: GuardFiles;
  /** SHA-256 of what it is made of, and of the OOD sets that it is tried on, by name. */
  readonly hashes: Readonly<Record<string, string>>;
}

export interface GuardFiles {
  /** Feature files: of training images, of some of them changed, of held-out InD images, and of OOD sets to report on. */
  readonly train?: string;
  readonly corrupted?: string;
  readonly heldOut: string;
  readonly oods: readonly string[];
  /** One-class SVMs, that `fitDetectors` wrote. */
  readonly svms?: string;
}

/**
 * Finds what a guard is made of in a run folder.
 *
 * @param ind name of the InD set; the one that the folder has features of, where absent
 * @throws RunError where something is missing
 */
export async function planGuard(
  run: RunFolder,
  design: Design,
  ind: string | undefined,
  onProgress?: OnProgress,
): Promise<GuardPlan> {
  const where = run.file('backbone.onnx');
  const graph = featureGraph(await readModel(where), where);
  const heldOut = await featureFile(run, 'test', ind);
  const oods = await unless(RunError, [], oodFiles(run, heldOut));
  const isFitted = design.kind !== 'layers' || design.detector !== 'layer-svms';
  const training = featureFile(run, 'train', ind);
  const train = isFitted ? await training : await unless(RunError, undefined, training);
  const asksConditions =
    design.kind === 'questions' &&
    design.watch.includes('conditions') &&
    // A network without early maps tells nothing of conditions.
    graph.conditionTaps.length > 0;
  const files: GuardFiles = {
    train,
    ...(asksConditions && { corrupted: corruptedFile(train!) }),
    heldOut,
    oods,
    ...(!isFitted && { svms: run.file('detectors.onnx') }),
  };
  return {
    design,
    graph,
    where,
    classNames: graph.classNames ?? classNamesOf(run, heldOut),
    files,
    hashes: { backbone: await sha256File(where), ...(await hashesOf(run, files, onProgress)) },
  };
}

async function unless<T, D>(
  Expected: abstract new (...args: never[]) => Error,
  otherwise: D,
  value: Promise<T>,
): Promise<T | D> {
  return value.catch((error) => {
    if (error instanceof Expected) return otherwise;
    throw error;
  });
}

async function hashesOf(
  run: RunFolder,
  { oods, ...files }: GuardFiles,
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
const remedies: Readonly<Record<string, (run: string) => Advice>> = {
  svms: (run) =>
    advice`run ${command('fit', option('run', run))} first, or take ${option('detector', 'layer-gaussians')}`,
  corrupted: (run) =>
    advice`run ${command('features', option('run', run), option('train', 'SET'))} once more, or take ${option('watch', 'content')}`,
};

/** Accuracy from which on the held-out set's classes are taken for the classifier's, in its order. */
const SAME_CLASSES = 0.5;

/** The names of the classes, where the held-out set says them and the classifier is mostly right by them. */
function classNamesOf(run: RunFolder, heldOut: string): readonly string[] | undefined {
  const results = run.record(`features/${basename(heldOut, '.hdf5')}`)?.results;
  const { accuracy = 0, classes } = (results ?? {}) as { accuracy?: number; classes?: readonly string[] };
  return accuracy >= SAME_CLASSES ? classes : undefined;
}
