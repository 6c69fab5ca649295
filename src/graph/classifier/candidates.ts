import { intAttribute } from '../attributes.ts';
import { channelAxes } from '../channel-axis.ts';
import { multiplyAdds } from '../cost.ts';
import { ElementType, type ModelProto, type NodeProto } from '../onnx.ts';
import { inferShapes, type Shape, type ValueType } from '../shapes.ts';
import { classTokenOf, type Pooling, poolingOf } from '../tap-pooling.ts';
import { producers } from '../topology.ts';
import type { Classifier } from './classifier.ts';
import { type ImageFlow, imageFlow } from './image-flow.ts';
import { asQuantized, integerProducts, usersBeyond } from './quantized.ts';

export type TapKind =
  | 'convolution'
  | 'residual sum'
  | 'attention'
  | 'MLP'
  | 'class token'
  | 'concatenation'
  | 'block end'
  | 'linear'
  | 'features'
  | 'logits';

/** A value inside a classifier that is worth watching. */
export interface TapCandidate {
  /** The tap's name: the value's, or `NAME[class]` for its class token. */
  readonly name: string;
  /** The name of the node that yields the value. */
  readonly node?: string;
  readonly kind: TapKind;
  /** One of `ElementType`: a kind of float. */
  readonly elemType: number;
  readonly shape: Shape;
  readonly pooling: Pooling;
  /** Share of the network's multiplications that are done when the value is there, 0 … 1. */
  readonly cost: number;
  /** Whether everything that the logits know of the image passes through it. */
  readonly isCut: boolean;
}

const floats = new Set<number | undefined>([ElementType.float, ElementType.float16, ElementType.double]);
const pools = new Set([
  'GlobalAveragePool',
  'GlobalMaxPool',
  'AveragePool',
  'MaxPool',
  'ReduceMean',
  'Flatten',
]);

/**
 * The values of a classifier that are worth watching, in the order of execution: convolutions; sums of a block and its
 * shortcut; what attention and MLP blocks add, and the class token, in transformers; concatenations that end a block, and
 * what else ends one; linear layers; what the last of these takes (`features`); and the logits. A value that is
 * quantised and dequantised is watched as the network goes on with it.
 *
 * Values whose shape is not known, or whose first axis is not the images', are left out.
 *
 * @example
 * ```ts
 * import { describeClassifier, readModel, tapCandidates } from 'la-ood/onnx';
 *
 * const model = await readModel('mobilenet.onnx');
 * const classifier = describeClassifier(model, 'mobilenet.onnx');
 * for (const { name, kind } of tapCandidates(model, classifier)) console.log(name, kind);
 * ```
 */
export function tapCandidates(model: ModelProto, classifier: Classifier): TapCandidate[] {
  const types = inferShapes(model);
  const { input, logits } = classifier;
  const flow = imageFlow(model, input, logits, types);
  const batch = types.get(input)!.shape![0];
  const axes = channelAxes(model, types);
  const features = featuresOf(flow, types, logits);
  const branches = branchesOf(flow, types, axes);
  const cost = costs(flow, types, logits);
  const tokens = classTokenCount(flow, types);
  const products = integerProducts(flow);

  return flow.nodes.flatMap((node) => {
    const [value] = node.output;
    // What they pass on is watched under the name of what is quantised.
    const passesOn = node.opType === 'QuantizeLinear' || node.opType === 'DequantizeLinear';
    if (passesOn && value !== features && value !== logits) return [];
    const { elemType, shape } = types.get(value) ?? {};
    if (!floats.has(elemType) || !shape || shape[0] !== batch || !shape.slice(1).every(isSize)) return [];
    const pooling = poolingOf(shape);
    const operator = products.get(value) ?? node.opType;
    const name = asQuantized(flow, value);
    const kind = kindOf(node, operator, shape, { flow, features, logits, branch: branches.get(name) });
    if (!pooling || !kind) return [];
    const common = {
      node: node.name || undefined,
      elemType: elemType!,
      shape,
      cost: cost.get(node)!,
      isCut: flow.isCut(value),
    };
    const candidate: TapCandidate = { name, kind, pooling, ...common };
    const hasToken = kind === 'residual sum' && shape.length === 3 && shape[1] === tokens;
    if (!hasToken) return [candidate];
    return [
      candidate,
      { name: classTokenOf(name), kind: 'class token', pooling: 'class token', ...common } as const,
    ];
  });
}

interface Surroundings {
  readonly flow: ImageFlow;
  readonly features: string | undefined;
  readonly logits: string;
  readonly branch: TapKind | undefined;
}

function kindOf(
  node: NodeProto,
  operator: string,
  shape: Shape,
  { flow, features, logits, branch }: Surroundings,
): TapKind | undefined {
  const [value] = node.output;
  if (value === logits) return 'logits';
  if (value === features) return 'features';
  if (shape.length === 2) {
    const isLinear = operator === 'Gemm' || operator === 'MatMul';
    return isLinear && flow.users(value).length > 0 && !node.input.includes(features ?? '')
      ? 'linear'
      : undefined;
  }
  // Of one pixel: the gates of squeeze-and-excite, and what global pooling leaves.
  if (shape.length === 4 && shape[2] === 1 && shape[3] === 1) return undefined;
  if (operator === 'Conv') return 'convolution';
  if (flow.isResidualSum(node)) return 'residual sum';
  if (branch) return branch;
  const users = usersBeyond(flow, value);
  const ends = users.length > 1 || users.some(({ opType }) => pools.has(opType));
  if (!flow.isCut(value) || !ends) return undefined;
  const joins = node.opType === 'Concat' && node.input.filter(flow.carries).length > 1;
  return joins ? 'concatenation' : 'block end';
}

/** What the last linear layer takes: N×C, or N×C×1×1 where that is said as a convolution. */
function featuresOf(
  flow: ImageFlow,
  types: ReadonlyMap<string, ValueType>,
  logits: string,
): string | undefined {
  const producer = producers({ node: flow.nodes });
  for (let node = producer.get(logits); node; ) {
    const from = node.input.filter(flow.carries);
    if (from.length !== 1) return undefined;
    const isLinear = ['Gemm', 'MatMul', 'Conv'].includes(node.opType);
    const [, , ...plane] = types.get(from[0])?.shape ?? [];
    if (isLinear) return plane.every((size) => size === 1) ? from[0] : undefined;
    node = producer.get(from[0]);
  }
  return undefined;
}

/**
 * What is added to the shortcut where channels lie last, by the value: the outputs of a transformer's attention and
 * MLP. The branch is what is computed later; it is attention where there is a softmax in it.
 */
function branchesOf(
  flow: ImageFlow,
  types: ReadonlyMap<string, ValueType>,
  axes: ReadonlyMap<string, number>,
): Map<string, TapKind> {
  const position = new Map(flow.nodes.flatMap((node, at) => node.output.map((name) => [name, at] as const)));
  const branches = new Map<string, TapKind>();
  for (const sum of flow.nodes.filter(flow.isResidualSum)) {
    const rank = types.get(sum.output[0])!.shape!.length;
    if (axes.get(sum.output[0]) !== rank - 1) continue;
    const [shortcut, branch] = [...sum.input].sort(
      (a, b) => (position.get(a) ?? -1) - (position.get(b) ?? -1),
    );
    const within = flow.nodes.slice((position.get(shortcut) ?? -1) + 1, position.get(branch)! + 1);
    const has = (operators: readonly string[]) => within.some(({ opType }) => operators.includes(opType));
    if (has(['Softmax', 'Attention'])) branches.set(branch, 'attention');
    else if (has(['MatMul', 'Gemm', 'MatMulInteger'])) branches.set(branch, 'MLP');
  }
  return branches;
}

/** The number of tokens where the logits are made of the first one; undefined where they are made in another way. */
function classTokenCount(flow: ImageFlow, types: ReadonlyMap<string, ValueType>): number | undefined {
  const chosen = flow.nodes.findLast((node) => {
    const { opType, input, output } = node;
    const [before, after] = [input[0], output[0]].map((name) => types.get(name)?.shape);
    if (before?.length !== 3) return false;
    if (opType === 'Gather') return intAttribute(node, 'axis') === 1 && after?.length === 2;
    return opType === 'Slice' && after?.[1] === 1 && before[1] !== 1;
  });
  const count = chosen && types.get(chosen.input[0])?.shape?.[1];
  return typeof count === 'number' ? count : undefined;
}

/** For each node, the share of all multiplications that it and what it needs take. */
function costs(
  flow: ImageFlow,
  types: ReadonlyMap<string, ValueType>,
  logits: string,
): Map<NodeProto, number> {
  const producer = producers({ node: flow.nodes });
  const own = new Map(flow.nodes.map((node) => [node, multiplyAdds(node, types)]));
  const sum = (node: NodeProto) => {
    const seen = new Set([node]);
    let total = 0;
    for (const each of seen) {
      total += own.get(each)!;
      for (const name of each.input) {
        const before = producer.get(name);
        if (before) seen.add(before);
      }
    }
    return total;
  };
  const all = sum(producer.get(logits)!) || 1;
  return new Map(flow.nodes.map((node) => [node, sum(node) / all]));
}

function isSize(size: unknown): boolean {
  return typeof size === 'number';
}
