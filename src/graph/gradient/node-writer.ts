import type { Tensor } from '../../common/tensor.ts';
import { type Attribute, float } from '../builder.ts';
import { makeNode } from '../make.ts';
import { ElementType, type NodeProto, type TensorProto } from '../onnx.ts';
import { tensorToProto } from '../tensor-proto.ts';

/** Attributes of a node, as `attributeProto` takes them. */
export type Attributes = Readonly<Record<string, Attribute>>;

/** Writes nodes and the constants that they take. */
export class NodeWriter {
  readonly nodes: NodeProto[] = [];
  readonly initializers: TensorProto[] = [];
  readonly #fresh: (stem: string) => string;
  /** Constants by what they hold: each is written once. */
  readonly #constants = new Map<string, string>();

  /** @param fresh gives names that nothing has yet */
  constructor(fresh: (stem: string) => string) {
    this.#fresh = fresh;
  }

  /** A name that nothing has yet. */
  name(stem: string): string {
    return this.#fresh(`${stem}_`);
  }

  /** Adds a node, and gives the name of its output. */
  node(opType: string, inputs: readonly string[], attributes?: Attributes): string {
    return this.split(opType, inputs, 1, attributes)[0];
  }

  /** Adds a node with so many outputs, and gives their names. */
  split(opType: string, inputs: readonly string[], outputs: number, attributes?: Attributes): string[] {
    const names = Array.from({ length: outputs }, () => this.name(opType));
    this.nodes.push({ ...makeNode(opType, [...inputs], '', attributes), output: names });
    return names;
  }

  /** A constant list of int64. */
  ints(values: readonly number[]): string {
    const data = BigInt64Array.from(values, BigInt);
    return this.#constant(`i${values}`, { dtype: 'int64', shape: [values.length], data });
  }

  /** A constant of float32: a scalar, or of the given shape. */
  floats(values: number | readonly number[], shape: readonly number[] = []): string {
    const data = typeof values === 'number' ? Float32Array.of(values) : Float32Array.from(values);
    return this.#constant(`f${values}/${shape}`, { dtype: 'float32', shape, data });
  }

  /** A constant of any kind. */
  tensor(tensor: Tensor): string {
    const name = this.name('constant');
    this.initializers.push(tensorToProto(name, tensor));
    return name;
  }

  reshape(value: string, shape: readonly number[]): string {
    return this.node('Reshape', [value, this.ints(shape)]);
  }

  transpose(value: string, order: readonly number[]): string {
    return this.node('Transpose', [value], { perm: order });
  }

  /** Sums over axes. */
  sum(value: string, axes: readonly number[], keepdims = false): string {
    return this.node('ReduceSum', [value, this.ints(axes)], { keepdims: keepdims ? 1 : 0 });
  }

  /**
   * 1 where a value is larger than 0, else 0, in one pass: a HardSigmoid as steep as can be. (Sign, and comparisons with
   * Cast or Where, take three to ten times as long in onnxruntime.)
   */
  isPositive(value: string): string {
    return this.node('HardSigmoid', [value], { alpha: float(STEEPEST), beta: float(0) });
  }

  /** A size of a value, as a float32 scalar, when the graph runs. */
  sizeOf(value: string, axis: number): string {
    const size = this.node('Shape', [value], { start: axis, end: axis + 1 });
    return this.node('Cast', [this.node('Squeeze', [size])], { to: ElementType.float });
  }

  #constant(key: string, tensor: Tensor): string {
    const known = this.#constants.get(key);
    if (known) return known;
    const name = this.tensor(tensor);
    this.#constants.set(key, name);
    return name;
  }
}

/** About the largest float32. */
const STEEPEST = 3e38;
