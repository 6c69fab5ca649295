import { GraphError } from '../../common/errors.ts';
import { makeNode, makeValueInfo } from '../make.ts';
import { freshNames, renameValues } from '../names.ts';
import { ElementType, type ModelProto, type NodeProto } from '../onnx.ts';
import { PIXELS } from '../preprocessing.ts';
import { pruneUnused } from '../rewrite.ts';
import { inferShapes } from '../shapes.ts';
import { findHead, type LinearHead } from './head.ts';
import { flowNodes } from './image-flow.ts';
import { imageInput, type Layout } from './image-input.ts';
import { findLogits } from './logits.ts';
import { isReserved } from './reserved-names.ts';

export type { LinearHead } from './head.ts';
export type { Layout } from './image-input.ts';

/** What a classifier of images takes and yields, whoever exported it. */
export interface Classifier {
  /** Its input's name. */
  readonly input: string;
  readonly layout: Layout;
  /** Undefined where the graph takes images of any size. */
  readonly height?: number;
  readonly width?: number;
  /** What the input's elements are; bytes where the network normalises by itself. */
  readonly dtype: 'float32' | 'float16' | 'float64' | 'uint8';
  /** The number of images that the graph takes at once; undefined where it takes any. */
  readonly batch?: number;
  /** The value that is the logits. */
  readonly logits: string;
  readonly classes: number;
  /** Whether that value is one number z an image, of which a sigmoid makes the probability of the second of two classes. */
  readonly isBinary: boolean;
  /** Whether classes do not exclude each other: what an output makes of the logits is a sigmoid. */
  readonly isMultiLabel: boolean;
  /** The last layer; undefined where it is not linear. */
  readonly head?: LinearHead;
}

export interface ClassifierOptions {
  /** The output to take, where there are several. */
  readonly output?: string;
}

const dtypes: Readonly<Record<number, Classifier['dtype']>> = {
  [ElementType.float]: 'float32',
  [ElementType.float16]: 'float16',
  [ElementType.double]: 'float64',
  [ElementType.uint8]: 'uint8',
};

/** What the logits are called in every backbone. */
export const LOGITS = 'logits';

/** What the free batch size is called, where the model has no name for it. */
const BATCH = 'batch';

/**
 * Understands a classifier: one input of RGB images, N×3×H×W or N×H×W×3, and logits, N×classes, be they an output or
 * what an output's softmax is of.
 *
 * @param where the file, for errors
 * @throws GraphError where input or output are something else, do not depend on each other, or there are several outputs to
 *   choose from
 *
 * @example
 * ```ts
 * import { describeClassifier, readModel } from 'la-ood/onnx';
 *
 * const { logits, classes, head } = describeClassifier(await readModel('mobilenet.onnx'), 'mobilenet.onnx');
 * console.log(logits, classes, head);
 * ```
 */
export function describeClassifier(
  model: ModelProto,
  where: string,
  { output }: ClassifierOptions = {},
): Classifier {
  const { name, layout, elemType, batch, channels, height, width } = imageInput(model, where);
  if (typeof channels === 'number' && channels !== 3)
    throw new GraphError(
      where,
      `its input ${name} has ${channels} channels`,
      'classifiers of RGB images are guarded, of three',
    );
  const { value, classes, isBinary, isMultiLabel } = findLogits(model, where, output);
  flowNodes(model, name, value, where);
  return {
    input: name,
    layout,
    height: numeric(height),
    width: numeric(width),
    dtype: dtypes[elemType],
    batch: numeric(batch),
    logits: value,
    classes,
    isBinary,
    isMultiLabel,
    head: findHead(model, value, classes, where),
  };
}

/**
 * The classifier as a backbone: one output, `logits`, N×classes, with nothing of a softmax behind it; a name for the
 * free batch size; and nothing that the logits do not need. The input stays as it is, and values that are called like
 * those of a guard get other names. Of one number z before a sigmoid the logits are −z/2 and z/2, whose softmax is that
 * sigmoid.
 *
 * @param options.size the size of images, where the graph takes any
 * @throws GraphError as `describeClassifier`
 */
export function toBackbone(
  model: ModelProto,
  where: string,
  options: ClassifierOptions & { readonly size?: { readonly height: number; readonly width: number } } = {},
): ModelProto {
  const { value, rank, classes, isBinary } = findLogits(model, where, options.output);
  const input = imageInput(model, where);
  const { batch = BATCH, channels, height: ownHeight, width: ownWidth } = input;
  const height = numeric(ownHeight) ?? options.size?.height;
  const width = numeric(ownWidth) ?? options.size?.width;
  const shape = input.layout === 'NCHW' ? [batch, channels, height, width] : [batch, height, width, channels];
  const image = makeValueInfo(input.name, { elemType: input.elemType, shape });
  const graph = {
    ...model.graph,
    input: model.graph.input.map((known) => (known.name === input.name ? image : known)),
    output: [{ name: value }],
    // What was declared of values within may hold for images of any size.
    ...((height !== ownHeight || width !== ownWidth) && { valueInfo: [] }),
  };
  const alone = pruneUnused({ ...model, graph });
  const isAsWanted = rank === 2 && !isBinary;
  const renamed = renameValues(alone, namesOf(alone, value, input.name, isAsWanted));
  const { elemType } = inferShapes(model).get(value)!;
  const output = makeValueInfo(LOGITS, { elemType, shape: [batch, classes] });
  const [{ name: last }] = renamed.graph.output;
  const added = isAsWanted
    ? []
    : isBinary
      ? ofTwoClasses(renamed, last, elemType!)
      : [flattened(last, LOGITS)];
  return {
    ...renamed,
    graph: { ...renamed.graph, node: [...renamed.graph.node, ...added], output: [output] },
  };
}

/** The logits get their name, and whatever has it, or a name of the guard's, gets another. */
function namesOf(model: ModelProto, value: string, input: string, isAsWanted: boolean): Map<string, string> {
  const names = new Map<string, string>();
  const fresh = freshNames(model);
  const { node, initializer } = model.graph;
  const own = [...node.flatMap(({ output }) => output), ...initializer.map(({ name }) => name)];
  for (const name of own) if (isReserved(name)) names.set(name, fresh(name));
  // An input called pixels is no value beside ours: ours takes its place.
  if (isReserved(input) && input !== PIXELS) names.set(input, fresh(input));
  if (value === LOGITS && isAsWanted) return names;
  names.set(LOGITS, fresh(`${LOGITS}_before`));
  if (isAsWanted) names.set(value, LOGITS);
  return names;
}

function flattened(value: string, name: string): NodeProto {
  return makeNode('Flatten', [value], name);
}

/** −z/2 and z/2 of z. */
function ofTwoClasses(model: ModelProto, value: string, elemType: number): NodeProto[] {
  const fresh = freshNames(model);
  const [column, halves, typed] = ['column', 'halves', 'typed_halves'].map((stem) =>
    fresh(`${LOGITS}_${stem}`),
  );
  const signs = { dtype: 'float32', shape: [1, 2], data: Float32Array.of(-0.5, 0.5) } as const;
  return [
    flattened(value, column),
    makeNode('Constant', [], halves, { value: signs }),
    makeNode('Cast', [halves], typed, { to: elemType }),
    makeNode('Mul', [column, typed], LOGITS),
  ];
}

function numeric(size: unknown): number | undefined {
  return typeof size === 'number' ? size : undefined;
}
