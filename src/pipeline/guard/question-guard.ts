import { type FeatureFile, listedNames, openFeatures } from '../../../converters/hdf5/open-features.ts';
import { conditionNames, conditionsOf } from '../../../data/derived/conditions.ts';
import { sampleChanges } from '../../../data/derived/corrupted-sample.ts';
import { advice, command, DetectorError, option, RunError } from '../../common/errors.ts';
import type { OnProgress } from '../../common/progress.ts';
import {
  answersModel,
  componentsModel,
  type GuardConditions,
  type GuardParts,
  PROJECTIONS,
} from '../../detectors/guard/answers-model.ts';
import {
  answersOf,
  type Components,
  calibrationAnswers,
  columnsOf,
  fitCombination,
} from '../../detectors/guard/combination.ts';
import { contentMethods } from '../../detectors/guard/content-methods.ts';
import { fitDirections } from '../../detectors/guard/directions.ts';
import { questions } from '../../detectors/guard/questions.ts';
import { sideBySide } from '../../detectors/layer-detectors.ts';
import { CORRUPTIONS } from '../features/feature-attributes.ts';
import type { FeatureGraph } from '../features/feature-graph.ts';
import { type FeatureOutputs, layersOf } from '../features/feature-rows.ts';
import { fitOnFeatures } from '../methods/fit-on-features.ts';
import type { FittedGuard } from './fitted-guard.ts';

/** The files that a guard of questions is made of. */
export interface QuestionSources {
  /** Features of training images. */
  readonly train: string;
  /** Features of some of them as they are, and changed; absent where conditions are not asked for. */
  readonly corrupted?: string;
  /** SHA-256 of the backbone that they must be of. */
  readonly backbone: string;
}

/** The covariance of early features is of so many training images at most, evenly spread. */
const MOST_IMAGES = 10_000;

/**
 * Fits what tells whether the content is what was taught, and the corruption directions that tell of conditions.
 *
 * @param asksContent whether that is asked
 * @param errors the float error of each feature of conditions, as measured
 * @throws RunError where features are missing or of another backbone; DetectorError where nothing can be fitted
 */
export async function fitQuestionGuard(
  asksContent: boolean,
  graph: FeatureGraph,
  { train, corrupted, backbone }: QuestionSources,
  errors?: ArrayLike<number>,
  onProgress?: OnProgress,
): Promise<FittedGuard> {
  const features = await openFeatures(train);
  try {
    const methods = asksContent ? contentMethods : [];
    const { fitted, refused, inputs, labels } = await fitOnFeatures(
      methods,
      graph,
      features,
      backbone,
      onProgress,
    );
    if (asksContent && fitted.length === 0)
      throw new DetectorError(
        'content',
        `cannot be told here: ${refused.map(({ method, reason }) => `${method.title}: ${reason}`).join('; ')}`,
        advice`take ${option('watch', 'conditions')}`,
      );
    const conditions = corrupted
      ? await fitConditions(graph, features, corrupted, backbone, errors)
      : undefined;
    const parts: GuardParts = {
      content: fitted.map(({ method, ...own }) => ({ name: method.name, fitted: own })),
      conditions,
    };
    const known = conditionsOf(graph.size);
    const left = conditions ? known.filter((_, c) => !conditions.directions.changes.includes(c)) : [];
    return {
      description: {
        kind: 'questions',
        questions: questions.filter((question) => (question === 'content' ? asksContent : conditions)),
        components: [
          ...parts.content.map(({ name }) => name),
          ...(conditions?.directions.changes ?? []).map((change) => known[change].name),
        ],
        conditions: conditions?.names ?? [],
        labels,
      },
      notes: [
        ...fitted.flatMap(({ method, notes = [] }) => notes.map((note) => `${method.title}: ${note}`)),
        ...left.map(({ name }) => `${name} changes nothing in these images, and is left out`),
        ...refused.map(({ method, reason }) => `without ${method.title}: ${reason}`),
      ],
      components: componentsModel(parts, inputs),
      calibrate(outputs, rate) {
        const components = componentsOf(parts, outputs);
        const combination = fitCombination(components);
        const scores = calibrationAnswers(components, combination);
        return {
          model: answersModel(parts, inputs, combination, scores, rate),
          known: scores,
          scoresOf: (others) => answersOf(componentsOf(parts, others), combination),
        };
      },
    };
  } finally {
    features.close();
  }
}

/** The outputs of `componentsModel`, content methods and directions apart. */
function componentsOf({ content, conditions }: GuardParts, outputs: FeatureOutputs): Components {
  const projections = outputs.get(PROJECTIONS);
  const count = projections
    ? projections.length / conditions!.sides.length
    : outputs.get(content[0].name)!.length;
  return {
    count,
    content: content.map(({ name }) => outputs.get(name)!),
    directions: columnsOf(projections, count),
  };
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
        advice`run ${command('features', option('train', 'SET'))} once more`,
      );
    const layers = layersOf(features, graph.conditionTaps, features.path, backbone);
    const step = Math.max(1, Math.ceil(features.count / MOST_IMAGES));
    const images = everyRow(features, graph.conditionTaps, backbone, step);
    const all = everyRow(sample, graph.conditionTaps, backbone, 1);
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

/** Features of some taps side by side, every `step`-th row × their widths together, row-major. */
function everyRow(file: FeatureFile, taps: readonly string[], backbone: string, step: number): Float32Array {
  const layers = layersOf(file, taps, file.path, backbone);
  const columns = layers.map(({ index, width }) => {
    const all = file.readLayer(index);
    if (step === 1) return all;
    const some = new Float32Array(Math.ceil(file.count / step) * width);
    for (let row = 0; row * step < file.count; row++)
      some.set(all.subarray(row * step * width, (row * step + 1) * width), row * width);
    return some;
  });
  return sideBySide(
    columns,
    layers.map(({ width }) => width),
  );
}
