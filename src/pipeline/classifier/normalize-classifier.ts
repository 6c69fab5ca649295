import type { ImageSize } from '../../../data/image-set.ts';
import { advice, GraphError, option } from '../../common/errors.ts';
import { RandomState } from '../../common/random.ts';
import { type Tensor, toFloat32 } from '../../common/tensor.ts';
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
import { quantizationOf } from '../../graph/classifier/quantized.ts';
import { dynamicBatch, fixedBatch } from '../../graph/dynamic-batch.ts';
import { makeNode, makeValueInfo } from '../../graph/make.ts';
import { ElementType, type ModelProto, type ValueInfo } from '../../graph/onnx.ts';
import { prependPreprocessing } from '../../graph/preprocessing.ts';
import { type Dim, inferShapes, type ValueType } from '../../graph/shapes.ts';
import { upgradeOpset } from '../../graph/upgrade-opset.ts';
import { runOnPixels } from '../run-graph.ts';

export interface NormalizeOptions extends ClassifierOptions {
  /** The size of images, where the graph takes any. */
  readonly size?: ImageSize;
}

/** A classifier of whatever origin as a backbone, and what can be watched in it. */
export interface NormalizedClassifier {
  /** Of opset 18 or later; its only output is `logits`; it takes any number of images where that could be brought about. */
  readonly model: ModelProto;
  readonly classifier: Classifier;
  /** The classifier as its file has it: its own names, batch size and kind of output. */
  readonly original: Classifier;
  /** In the order of execution. */
  readonly candidates: readonly TapCandidate[];
  /** What a person would not expect of it, a sentence each. */
  readonly notes: readonly string[];
}

/**
 * Understands a classifier: finds its input, its logits and the values worth watching. Where the shapes of these cannot
 * be inferred, the graph is run on black images, and they are written into the model.
 *
 * @param where the file, for errors
 * @throws GraphError where it is no classifier of RGB images, does not run, or has nothing within that can be watched
 */
export async function normalizeClassifier(
  model: ModelProto,
  where: string,
  options: NormalizeOptions = {},
): Promise<NormalizedClassifier> {
  checkModel(model, where);
  const original = describeClassifier(model, where, options);
  const backbone = upgradeOpset(toBackbone(model, where, options), where);
  const { input, height, width } = describeClassifier(backbone, where);
  if (!height || !width)
    throw new GraphError(
      where,
      `its input ${input} takes images of any size`,
      advice`say which with ${option('size')}`,
    );
  const settled = await settleBatch(backbone, where);
  const typed = await withObservedShapes(settled.model, where);
  const classifier = describeClassifier(typed, where);
  const candidates = tapCandidates(typed, classifier);
  if (candidates.every(({ kind }) => kind === 'logits')) throw nothingWithin(model, where);
  const notes = [...logitsNotes(model, original), ...settled.notes];
  return { model: typed, classifier, original, candidates, notes };
}

function nothingWithin(model: ModelProto, where: string): GraphError {
  return quantizationOf(model) === 'QOperator'
    ? new GraphError(
        where,
        'its values are integers all the way (QLinearConv), so that nothing in it can be watched',
        'quantise it in QDQ form, which onnxruntime runs as fast: quantize_static(…, quant_format=QuantFormat.QDQ)',
      )
    : new GraphError(
        where,
        'nothing in it can be watched: it has no convolution, no block and no linear layer but the last',
        advice`name values with ${option('taps')}`,
      );
}

function logitsNotes({ graph }: ModelProto, { logits, isBinary }: Classifier): string[] {
  const outputs = graph.output.map(({ name }) => name);
  if (isBinary)
    return [`its one output is a sigmoid: two classes, of which ${outputs.join(', ')} is the second's`];
  const isDictionary = graph.node.some(({ opType }) => opType === 'ZipMap');
  return isDictionary
    ? [`its outputs are words and a dictionary; the logits are ${logits}, a value within`]
    : [];
}

interface Settled {
  readonly model: ModelProto;
  readonly notes: readonly string[];
}

/** The graph for any number of images, if it can be had; else for one at a time. */
async function settleBatch(model: ModelProto, where: string): Promise<Settled> {
  const { batch } = describeClassifier(model, where);
  if (quantizationOf(model) === 'dynamic') {
    if (batch !== undefined && batch !== 1) throw onlyTogether(batch, where);
    const reason = 'it takes the range of a whole batch to quantise it (dynamic quantisation)';
    return { model: fixedBatch(model, 1), notes: [atATime(reason)] };
  }
  if (batch === undefined) {
    if (await runsTwo(model, where)) return { model, notes: [] };
    const free = await freed(fixedBatch(model, 1), where);
    const reason = 'the graph runs with no more, though it declares any number';
    return free ? { model: free, notes: [] } : { model: fixedBatch(model, 1), notes: [atATime(reason)] };
  }
  const free = await freed(model, where);
  if (free) return { model: free, notes: [] };
  if (batch !== 1) throw onlyTogether(batch, where);
  return { model, notes: [atATime('it was exported for one')] };
}

function atATime(reason: string): string {
  return `it runs an image at a time, which is slower: ${reason}`;
}

function onlyTogether(batch: number, where: string): GraphError {
  return new GraphError(
    where,
    `takes ${batch} images at once, no more and no fewer`,
    'export it with a dynamic batch axis, or for one image',
  );
}

/** Whether a graph that declares any number of images runs with two; it does with one. */
async function runsTwo(model: ModelProto, where: string): Promise<boolean> {
  const { height, width } = describeClassifier(model, where) as SizedClassifier;
  const run = (count: number) =>
    runOnPixels(fromPixels(model, where), where, { height, width }, [
      new Uint8Array(count * height * width * 3),
    ]);
  try {
    await run(2);
    return true;
  } catch (error) {
    if (!(error instanceof GraphError)) throw error;
    await run(1);
    return false;
  }
}

/** A graph of a fixed number of images for any number, where that can be had. */
async function freed(model: ModelProto, where: string): Promise<ModelProto | undefined> {
  try {
    const free = dynamicBatch(model);
    return (await agree(model, free, where)) ? free : undefined;
  } catch (error) {
    // What onnxruntime cannot run with more images is what cannot be freed.
    if (!(error instanceof GraphError)) throw error;
    return undefined;
  }
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
  return largestDifference(a, b) <= 1e-2;
}

/** The largest difference, as a share of the largest of `a`; infinite where it cannot be told. */
export function largestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) return Number.POSITIVE_INFINITY;
  let largest = 0;
  let difference = 0;
  for (let i = 0; i < a.length; i++) {
    const apart = Math.abs(a[i] - b[i]);
    // A NaN is no difference that any comparison would notice.
    if (Number.isNaN(apart)) return Number.POSITIVE_INFINITY;
    largest = Math.max(largest, Math.abs(a[i]));
    difference = Math.max(difference, apart);
  }
  return difference === 0 ? 0 : difference / largest;
}

/** Declares the shapes of those values that no rule gives, as they are in a run. */
async function withObservedShapes(model: ModelProto, where: string): Promise<ModelProto> {
  const { input, batch, height, width } = describeClassifier(model, where) as SizedClassifier;
  const types = inferShapes(model);
  const { nodes } = imageFlow(model, input, LOGITS, types);
  const images = types.get(input)!.shape![0];
  const unknown = nodes
    .flatMap(({ output }) => output)
    .filter((name) => name && name !== LOGITS && isOpen(types.get(name), images))
    .filter((name) => canBeWatched(types.get(name)));
  if (unknown.length === 0) return model;

  const { graph } = model;
  // Of values whose type is known their shapes are put out: all values at once would take gigabytes.
  const [typed, untyped] = [true, false].map((isTyped) =>
    unknown.filter((name) => (types.get(name)?.elemType !== undefined) === isTyped),
  );
  // onnxruntime begins with what the last of the nodes takes that nothing comes after, and would keep all values for the first.
  const shapes = typed.toReversed().map((name) => makeNode('Shape', [name], shapeOf(name)));
  const node = [...graph.node, ...shapes];
  const output = [...graph.output, ...[...typed.map(shapeOf), ...untyped].map((name) => ({ name }))];
  const exposed = fromPixels({ ...model, graph: { ...graph, node, output } }, where);
  // What differs between runs of different batch sizes is the batch; a single size might be that of another axis too.
  const sizes = batch === undefined ? [3, 5] : [batch];
  const pixels = sizes.map((count) => new Uint8Array(count * height * width * 3));
  const runs = await runOnPixels(exposed, where, { height, width }, pixels);
  const observed = unknown.flatMap((name): ValueInfo[] => {
    const elemType = types.get(name)?.elemType ?? elementTypes[runs[0][name].dtype];
    const sizesOf = runs.map((run) =>
      run[name] ? run[name].shape : Array.from(run[shapeOf(name)].data as BigInt64Array, Number),
    );
    const [[, ...rest], ...others] = sizesOf;
    const isOfImages = sizesOf.every(([first], r) => first === sizes[r]);
    const isSame = others.every(([, ...other]) => String(other) === String(rest));
    if (elemType === undefined || !isOfImages || !isSame) return [];
    return [makeValueInfo(name, { elemType, shape: [images, ...rest] })];
  });
  const replaced = new Set(observed.map(({ name }) => name));
  const kept = graph.valueInfo.filter(({ name }) => !replaced.has(name));
  return { ...model, graph: { ...graph, valueInfo: [...kept, ...observed] } };
}

const shapeOf = (name: string) => `shape of ${name}`;

const elementTypes: Partial<Record<Tensor['dtype'], number>> = {
  float32: ElementType.float,
  float16: ElementType.float16,
  float64: ElementType.double,
};

/** Whether a value may be one of those watched, for all that is known of its shape: its first axis is not that of something else. */
function isOpen({ shape }: ValueType = {}, images: Dim): boolean {
  if (!shape) return true;
  const [first, ...rest] = shape;
  if (typeof first === 'number') return first === images && !rest.every((size) => typeof size === 'number');
  return first !== images || !rest.every((size) => typeof size === 'number');
}

/** Whether a value is of floats, for all that is known. */
function canBeWatched({ elemType }: ValueType = {}): boolean {
  return elemType === undefined || Object.values(elementTypes).includes(elemType);
}

/** The graph from pixels, with a normalisation of no meaning where it needs one. */
function fromPixels(model: ModelProto, where: string): ModelProto {
  const { dtype } = describeClassifier(model, where);
  return prependPreprocessing(
    model,
    dtype === 'uint8' ? undefined : { mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25] },
  );
}
