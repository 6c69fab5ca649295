import type { ImageSize } from '../../../data/image-set.ts';
import { GraphError } from '../../common/errors.ts';
import { RandomState } from '../../common/random.ts';
import { type Tensor, toFloat32 } from '../../common/tensor.ts';
import { dynamicBatch } from '../../graph/batch.ts';
import { checkModel } from '../../graph/check.ts';
import { type TapCandidate, tapCandidates } from '../../graph/classifier/candidates.ts';
import {
  type Classifier,
  type ClassifierOptions,
  describeClassifier,
  LOGITS,
  toBackbone,
} from '../../graph/classifier/classifier.ts';
import { imageFlow } from '../../graph/classifier/image-flow.ts';
import { makeValueInfo } from '../../graph/make.ts';
import { ElementType, type ModelProto, type ValueInfo } from '../../graph/onnx.ts';
import { prependPreprocessing } from '../../graph/preprocessing.ts';
import { inferShapes, type ValueType } from '../../graph/shapes.ts';
import { upgradeOpset } from '../../graph/upgrade-opset.ts';
import { runOnPixels } from '../run-graph.ts';

export interface UnderstandOptions extends ClassifierOptions {
  /** The size of images, where the graph takes any. */
  readonly size?: ImageSize;
}

/** A classifier of whatever origin as a backbone, and what can be watched in it. */
export interface UnderstoodClassifier {
  /** Of opset 18 or later; its only output is `logits`; it takes any number of images where that could be brought about. */
  readonly model: ModelProto;
  readonly classifier: Classifier;
  /** In the order of execution. */
  readonly candidates: readonly TapCandidate[];
}

/**
 * Understands a classifier: finds its input, its logits and the values worth watching. Where the shapes of these cannot
 * be inferred, the graph is run once on a black image, and they are written into the model.
 *
 * @param where the file, for errors
 * @throws GraphError where it is no classifier of RGB images, or does not run
 */
export async function understandClassifier(
  model: ModelProto,
  where: string,
  options: UnderstandOptions = {},
): Promise<UnderstoodClassifier> {
  checkModel(model, where);
  const backbone = upgradeOpset(toBackbone(model, where, options), where);
  const { input, height, width } = describeClassifier(backbone, where);
  if (!height || !width)
    throw new GraphError(where, `its input ${input} takes images of any size`, 'say which with --size');
  const typed = await withObservedShapes(await freeBatch(backbone, where), where);
  const classifier = describeClassifier(typed, where);
  return { model: typed, classifier, candidates: tapCandidates(typed, classifier) };
}

/** The graph for any number of images, if it can be had; else the graph as it is, where it takes one at a time. */
async function freeBatch(model: ModelProto, where: string): Promise<ModelProto> {
  const { batch } = describeClassifier(model, where);
  if (batch === undefined) return model;
  try {
    const free = dynamicBatch(model);
    if (await agree(model, free, where)) return free;
  } catch (error) {
    // What onnxruntime cannot run with more images is what cannot be freed.
    if (!(error instanceof GraphError)) throw error;
  }
  if (batch === 1) return model;
  throw new GraphError(
    where,
    `takes ${batch} images at once, no more and no fewer`,
    'export it with a dynamic batch axis, or for one image',
  );
}

/** Whether two graphs have the same logits of twice as many images as the first of them takes at once. */
async function agree(fixed: ModelProto, free: ModelProto, where: string): Promise<boolean> {
  const { batch, height, width } = describeClassifier(fixed, where) as SizedClassifier & { batch: number };
  const images = [0, 1].map((seed) => randomPixels({ height, width }, batch, seed));
  const run = async (model: ModelProto, runs: Uint8Array[]) => {
    const outputs = await runOnPixels(fromPixels(model, where), where, { height, width }, runs);
    return outputs.flatMap(({ [LOGITS]: logits }) => [...toFloat32(logits)]);
  };
  return isClose(await run(free, [Buffer.concat(images)]), await run(fixed, images));
}

/** Random images. */
export function randomPixels({ height, width }: ImageSize, count: number, seed: number): Uint8Array {
  const random = new RandomState(seed);
  return Uint8Array.from({ length: count * height * width * 3 }, () => random.integer(255));
}

/** A classifier of which it is known what images it takes. */
type SizedClassifier = Classifier & ImageSize;

/** Whether numbers are the same but for rounding, be it that of half floats: what differs otherwise differs by far more. */
export function isClose(a: ArrayLike<number>, b: ArrayLike<number>): boolean {
  let largest = 0;
  let difference = 0;
  for (let i = 0; i < a.length; i++) {
    largest = Math.max(largest, Math.abs(a[i]));
    // A NaN is no difference that any comparison would notice.
    difference = Math.max(
      difference,
      Number.isNaN(a[i] - b[i]) ? Number.POSITIVE_INFINITY : Math.abs(a[i] - b[i]),
    );
  }
  return a.length === b.length && difference <= 1e-2 * largest;
}

/** Declares the shapes of those values that no rule gives, as they are in a run. */
async function withObservedShapes(model: ModelProto, where: string): Promise<ModelProto> {
  const { input, batch, height, width } = describeClassifier(model, where) as SizedClassifier;
  const types = inferShapes(model);
  const { nodes } = imageFlow(model, input, LOGITS, types);
  const unknown = nodes.flatMap(({ output }) => output).filter((name) => name && isOpen(types.get(name)));
  if (unknown.length === 0) return model;

  const { graph } = model;
  const output = [...graph.output, ...unknown.filter((name) => name !== LOGITS).map((name) => ({ name }))];
  const atOnce = batch ?? 2;
  const pixels = new Uint8Array(atOnce * height * width * 3);
  const exposed = fromPixels({ ...model, graph: { ...graph, output } }, where);
  const [yielded] = await runOnPixels(exposed, where, { height, width }, [pixels]);
  const images = types.get(input)!.shape![0];
  const observed = unknown.flatMap((name): ValueInfo[] => {
    const { dtype, shape } = yielded[name];
    const elemType = elementTypes[dtype];
    if (elemType === undefined || shape[0] !== atOnce || name === LOGITS) return [];
    return [makeValueInfo(name, { elemType, shape: [images, ...shape.slice(1)] })];
  });
  const replaced = new Set(observed.map(({ name }) => name));
  const kept = graph.valueInfo.filter(({ name }) => !replaced.has(name));
  return { ...model, graph: { ...graph, valueInfo: [...kept, ...observed] } };
}

const elementTypes: Partial<Record<Tensor['dtype'], number>> = {
  float32: ElementType.float,
  float16: ElementType.float16,
  float64: ElementType.double,
};

/** Whether a value may be one of those watched, for all that is known of its shape. */
function isOpen({ shape }: ValueType = {}): boolean {
  return !shape || shape[0] === undefined || !shape.slice(1).every((size) => typeof size === 'number');
}

/** The graph from pixels, with a normalisation of no meaning where it needs one. */
function fromPixels(model: ModelProto, where: string): ModelProto {
  const { dtype } = describeClassifier(model, where);
  return prependPreprocessing(
    model,
    dtype === 'uint8' ? undefined : { mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25] },
  );
}
