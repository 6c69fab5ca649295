import { type FeatureFile, listedNames, openFeatures } from '../../../converters/hdf5/features.ts';
import { conditionNames, conditionsOf } from '../../../data/derived/conditions.ts';
import { sampleChanges } from '../../../data/derived/corrupted-sample.ts';
import { RunError } from '../../common/errors.ts';
import type { OnProgress } from '../../common/progress.ts';
import type { GuardConditions, GuardInputs, GuardParts } from '../../detectors/guard/answers-model.ts';
import { fitDirections } from '../../detectors/guard/directions.ts';
import { fitMethods, type Refusal } from '../../detectors/methods/fit-methods.ts';
import type { Method } from '../../detectors/methods/method.ts';
import { Training } from '../../detectors/methods/training.ts';
import type { FeatureGraph } from '../features/feature-graph.ts';
import { layersOf } from '../features/feature-rows.ts';
import { CORRUPTIONS } from '../features/features.ts';
import { methodLayers, trainingFeatures } from '../methods/training-features.ts';

/** The files that a guard's parts are fitted on. */
export interface PartSources {
  /** Features of training images. */
  readonly train: string;
  /** Features of some of them as they are, and changed; absent where conditions are not asked for. */
  readonly corrupted?: string;
}

/** A guard's parts, and what fitting them found. */
export interface FittedParts {
  readonly parts: GuardParts;
  readonly inputs: GuardInputs;
  /** Methods that cannot be had here, and why. */
  readonly refused: readonly Refusal[];
  /** What class means are made of. */
  readonly labels: 'class labels' | 'predicted classes';
  readonly notes: readonly string[];
}

/** The covariance of early features is of so many training images at most, evenly spread. */
const MOST_IMAGES = 10_000;

/**
 * Fits content methods and the directions of conditions.
 *
 * @param backbone SHA-256 of the backbone that the features must be of
 * @throws RunError where features are missing or of another backbone; DetectorError where nothing can be fitted
 */
export async function fitParts(
  content: readonly Method[],
  graph: FeatureGraph,
  { train, corrupted }: PartSources,
  backbone: string,
  errors?: ArrayLike<number>,
  onProgress?: OnProgress,
): Promise<FittedParts> {
  const features = await openFeatures(train);
  try {
    layersOf(features, [graph.logits], train, backbone);
    const training = new Training(trainingFeatures(features, { head: graph.head }));
    const { fitted, refused } = await fitMethods(content, training, {}, (method) =>
      onProgress?.({ task: 'fit', done: 1, total: 1, unit: 'methods', note: method.title }),
    );
    const conditions = corrupted && (await fitConditions(graph, features, corrupted, backbone, errors));
    const { logits, headInput } = methodLayers(features);
    const left = conditions
      ? conditionsOf(graph.size).filter((_, c) => !conditions.directions.changes.includes(c))
      : [];
    return {
      parts: {
        content: fitted.map(({ method, ...own }) => ({ name: method.name, fitted: own })),
        conditions: conditions || undefined,
      },
      inputs: {
        logits: [logits.tap, logits.width],
        headInput: headInput && [headInput.tap, headInput.width],
      },
      refused,
      labels: training.features.labels ? 'class labels' : 'predicted classes',
      notes: [
        ...fitted.flatMap(({ method, notes = [] }) => notes.map((note) => `${method.title}: ${note}`)),
        ...left.map(({ name }) => `${name} changes nothing in these images, and is left out`),
      ],
    };
  } finally {
    features.close();
  }
}

async function fitConditions(
  graph: FeatureGraph,
  features: FeatureFile,
  corrupted: string,
  backbone: string,
  errors?: ArrayLike<number>,
): Promise<GuardConditions> {
  const sample = await openFeatures(corrupted);
  try {
    const changes = listedNames(sample.attributes[CORRUPTIONS]);
    if (changes?.join() !== sampleChanges(graph.size).join())
      throw new RunError(
        corrupted,
        'was made by another version of la-ood',
        'run la-ood features --train SET once more',
      );
    const layers = layersOf(features, graph.conditionTaps, features.path, backbone);
    const step = Math.max(1, Math.ceil(features.count / MOST_IMAGES));
    const images = sideBySide(features, graph.conditionTaps, backbone, step);
    const all = sideBySide(sample, graph.conditionTaps, backbone, 1);
    const each = all.length / changes.length;
    const blocks = changes.map((_, c) => all.subarray(c * each, (c + 1) * each));
    const directions = await fitDirections({
      channels: layers.filter((_, at) => at % 2 === 0).map(({ width }) => width),
      images,
      unchanged: blocks[0],
      changed: blocks.slice(1),
      errors,
    });
    const known = conditionsOf(graph.size);
    return {
      directions,
      taps: new Map(layers.map(({ tap, width }) => [tap, width])),
      sides: directions.changes.map((c) => {
        const { more, less } = known[c];
        return [conditionNames.indexOf(more), conditionNames.indexOf(less)] as const;
      }),
      names: conditionNames,
    };
  } finally {
    sample.close();
  }
}

/** Features of some taps, every `step`-th row × their widths together, row-major. */
function sideBySide(
  file: FeatureFile,
  taps: readonly string[],
  backbone: string,
  step: number,
): Float32Array {
  const layers = layersOf(file, taps, file.path, backbone);
  const width = layers.reduce((sum, layer) => sum + layer.width, 0);
  const rows = Math.ceil(file.count / step);
  const together = new Float32Array(rows * width);
  let at = 0;
  for (const layer of layers) {
    const column = file.readLayer(layer.index);
    for (let row = 0; row < rows; row++)
      together.set(
        column.subarray(row * step * layer.width, (row * step + 1) * layer.width),
        row * width + at,
      );
    at += layer.width;
  }
  return together;
}
