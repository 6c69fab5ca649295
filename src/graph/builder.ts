import type { Tensor } from '../common/tensor.ts';
import {
  type AttributeProto,
  AttributeType,
  type Dimension,
  type GraphProto,
  type ModelProto,
  type NodeProto,
  type ValueInfo,
} from './onnx.ts';
import { tensorToProto } from './tensor-proto.ts';

/**
 * The opset that graphs are written in. From 18 on the Reduce operators take their axes as an input, and none of the
 * operators used in this project has changed its inputs since, so a node written for 18 also holds in a newer model
 * that it is joined to. onnxruntime ≥ 1.14 runs it, and PyTorch's exporter starts from it.
 */
export const DEFAULT_OPSET = 18;

/** The IR version that came with opset 18 (ONNX 1.13). */
const IR_VERSION = 8;

/** Marks floating-point attributes: JavaScript has one kind of number, ONNX keeps 1 and 1.0 apart. See `float`. */
export interface FloatAttribute {
  readonly float: number | readonly number[];
}

/** Plain numbers are integers, `float(…)` makes floats, a tensor becomes a tensor attribute, a graph a branch or body. */
export type Attribute =
  | number
  | readonly number[]
  | FloatAttribute
  | string
  | readonly string[]
  | Tensor
  | GraphProto;

export interface NodeOptions {
  /** The node's name and, where `outputs` is not given, its output's too; made from the operator where absent. */
  name?: string;
  /** The names of the values that the node yields. */
  outputs?: readonly string[];
  attributes?: Readonly<Record<string, Attribute>>;
  /** The operator set's domain; '' is ONNX's own. */
  domain?: string;
}

export interface BuildOptions {
  /** Version of ONNX's own operator set. */
  opset?: number;
  /** Versions of the other operator sets that nodes use, by domain: `{ 'ai.onnx.ml': 3 }`. */
  domains?: Readonly<Record<string, number>>;
  metadata?: Readonly<Record<string, string>>;
}

/**
 * A floating-point attribute: `{ epsilon: float(1e-5), coefficients: float([1, 2]) }`. Rounded to the float32 that a file
 * holds: a graph that was just built computes what it computes once it was read again.
 */
export function float(value: number | readonly number[]): FloatAttribute {
  return { float: typeof value === 'number' ? Math.fround(value) : value.map(Math.fround) };
}

/**
 * Writes an ONNX model node by node, in execution order; inputs and initializers may come at any time. Values are
 * known by their names:
 *
 * ```ts
 * const graph = new GraphBuilder('classifier');
 * const x = graph.input('x', ElementType.float, ['batch', 3]);
 * const w = graph.initializer('w', { dtype: 'float32', shape: [2, 3], data });
 * graph.node('Gemm', [x, w], { name: 'logits', attributes: { transB: 1, alpha: float(2) } });
 * graph.output('logits', ElementType.float, ['batch', 2]);
 * const model = graph.build();
 * ```
 *
 * A name that is given twice, or used without being given, is a defect of the caller and throws a plain `Error`.
 */
export class GraphBuilder {
  readonly #graph: GraphProto;
  readonly #values = new Set<string>();
  readonly #nodeNames = new Set<string>();

  /** @param name the graph's name */
  constructor(name: string) {
    this.#graph = {
      name,
      node: [],
      initializer: [],
      input: [],
      output: [],
      valueInfo: [],
      metadataProps: [],
    };
  }

  /** Adds a graph input: an `ElementType`, and its sizes, with a word for each size that is free. Gives its name. */
  input(name: string, elementType: number, dims: readonly (number | string)[]): string {
    this.#graph.input.push(valueInfo(name, elementType, dims));
    return this.#define(name);
  }

  /** Adds an input that need not be given: the tensor stands in for it. Gives its name. */
  optionalInput(name: string, tensor: Tensor): string {
    const proto = tensorToProto(name, tensor);
    this.#graph.initializer.push(proto);
    this.#graph.input.push(valueInfo(name, proto.dataType, tensor.shape));
    return this.#define(name);
  }

  /** Makes a value a graph output, in the order of the calls. */
  output(name: string, elementType: number, dims: readonly (number | string)[]): void {
    this.#graph.output.push(valueInfo(name, elementType, dims));
  }

  /** Adds a constant of the graph, which shares the tensor's data. Gives its name. */
  initializer(name: string, tensor: Tensor): string {
    this.#graph.initializer.push(tensorToProto(name, tensor));
    return this.#define(name);
  }

  /** Adds a constant list of int64, the form in which operators take axes, pads and shapes. Gives its name. */
  int64s(name: string, values: readonly number[]): string {
    return this.initializer(name, {
      dtype: 'int64',
      shape: [values.length],
      data: BigInt64Array.from(values, BigInt),
    });
  }

  /**
   * Adds a node.
   * @param inputs names of values; '' leaves an optional input out
   * @returns the name of its first output
   */
  node(opType: string, inputs: readonly string[], options: NodeOptions = {}): string {
    const { attributes = {}, domain = '' } = options;
    const name = options.name ?? this.freshName(opType.toLowerCase());
    const outputs = options.outputs ?? [name];
    if (this.#nodeNames.has(name)) throw new Error(`two nodes are named ${name}`);
    this.#nodeNames.add(name);
    for (const output of outputs) this.#define(output);
    this.#graph.node.push({
      name,
      opType,
      domain,
      input: [...inputs],
      output: [...outputs],
      attribute: Object.entries(attributes).map(([key, value]) => attributeProto(key, value)),
      metadataProps: [],
    });
    return outputs[0];
  }

  /** The nodes so far. */
  get nodes(): readonly NodeProto[] {
    return this.#graph.node;
  }

  /** A name that no value and no node has yet: `stem`, or `stem_1`, `stem_2`, … */
  freshName(stem: string): string {
    const taken = (name: string) => this.#values.has(name) || this.#nodeNames.has(name);
    let name = stem;
    for (let i = 1; taken(name); i++) name = `${stem}_${i}`;
    return name;
  }

  /** The model. Its parts are shared with this builder, which has done its work with it. */
  build(options: BuildOptions = {}): ModelProto {
    const { opset = DEFAULT_OPSET, domains = {}, metadata = {} } = options;
    checkOrder(this.#graph);
    for (const { name, domain } of this.#graph.node)
      if (domain && !(domain in domains)) throw new Error(`node ${name}: no version for domain ${domain}`);
    return {
      irVersion: IR_VERSION,
      producerName: 'la-ood',
      opsetImport: Object.entries({ '': opset, ...domains }).map(([domain, version]) => ({
        domain,
        version,
      })),
      graph: this.#graph,
      metadataProps: Object.entries(metadata).map(([key, value]) => ({ key, value })),
      functions: [],
    };
  }

  #define(name: string): string {
    if (this.#values.has(name)) throw new Error(`two values are named ${name}`);
    this.#values.add(name);
    return name;
  }
}

/** Throws where a value is used that nothing has yielded before. */
function checkOrder({ input, initializer, node, output }: GraphProto): void {
  const known = new Set([...input, ...initializer].map(({ name }) => name));
  const require = (name: string, user: string) => {
    if (name && !known.has(name)) throw new Error(`${user} uses ${name}, which nothing yields before it`);
  };
  for (const { name, input, output } of node) {
    for (const value of input) require(value, `node ${name}`);
    for (const value of output) known.add(value);
  }
  for (const { name } of output) require(name, 'a graph output');
}

/** The description of an input or output; a size is a number, or a word for one that is free. */
function valueInfo(name: string, elemType: number, dims: readonly (number | string)[]): ValueInfo {
  const dim = dims.map(
    (size): Dimension => (typeof size === 'number' ? { dimValue: size } : { dimParam: size }),
  );
  return { name, type: { tensorType: { elemType, shape: { dim } } } };
}

const utf8 = new TextEncoder();

/** The message of a node's attribute, for those who write nodes without a builder. */
export function attributeProto(name: string, value: Attribute): AttributeProto {
  const attribute = (type: number, content: Partial<AttributeProto>): AttributeProto => ({
    ...{ name, type, floats: [], ints: [], strings: [], tensors: [], graphs: [] },
    ...content,
  });
  if (typeof value === 'string') return attribute(AttributeType.string, { s: utf8.encode(value) });
  if (typeof value === 'number') return attribute(AttributeType.int, { i: integer(name, value) });
  if (isList(value)) {
    if (isStrings(value))
      return attribute(AttributeType.strings, { strings: value.map((text) => utf8.encode(text)) });
    return attribute(AttributeType.ints, { ints: value.map((number) => integer(name, number)) });
  }
  if ('dtype' in value) return attribute(AttributeType.tensor, { t: tensorToProto('', value) });
  if ('node' in value) return attribute(AttributeType.graph, { g: value });
  if (typeof value.float === 'number') return attribute(AttributeType.float, { f: value.float });
  return attribute(AttributeType.floats, { floats: [...value.float] });
}

/** `Array.isArray` does not narrow readonly arrays. */
function isList(value: Attribute): value is readonly number[] | readonly string[] {
  return Array.isArray(value);
}

function isStrings(list: readonly number[] | readonly string[]): list is readonly string[] {
  return typeof list[0] === 'string';
}

function integer(name: string, value: number): number {
  if (!Number.isSafeInteger(value)) throw new Error(`attribute ${name}: ${value} is no integer; use float()`);
  return value;
}
