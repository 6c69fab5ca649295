import type { Tensor } from '../common/tensor.ts';
import type { Attribute, GraphBuilder } from './builder.ts';

/** Writes the nodes of one part of a graph: their names begin with the part's, and are made unique by themselves. */
export class NodeScope {
  constructor(
    readonly graph: GraphBuilder,
    readonly name: string,
  ) {}

  /** Adds a node, named after a word. Gives the name of its first output. */
  node(
    opType: string,
    inputs: readonly string[],
    word: string,
    attributes: Readonly<Record<string, Attribute>> = {},
  ): string {
    return this.graph.node(opType, inputs, { name: this.#fresh(word), attributes });
  }

  /** Adds a node of several outputs, a word for each. Gives their names. */
  nodes(
    opType: string,
    inputs: readonly string[],
    words: readonly string[],
    attributes: Readonly<Record<string, Attribute>> = {},
  ): string[] {
    const outputs = words.map((word) => this.#fresh(word));
    this.graph.node(opType, inputs, { name: outputs[0], outputs, attributes });
    return outputs;
  }

  /** Adds a constant. */
  tensor(word: string, tensor: Tensor): string {
    return this.graph.initializer(this.#fresh(word), tensor);
  }

  /** Adds a constant of float32. */
  floats(word: string, shape: readonly number[], values: ArrayLike<number>): string {
    const data = values instanceof Float32Array ? values : Float32Array.from(values);
    return this.tensor(word, { dtype: 'float32', shape, data });
  }

  float(word: string, value: number): string {
    return this.floats(word, [], [value]);
  }

  /** Adds a constant list of int64. */
  int64s(word: string, values: readonly number[]): string {
    return this.graph.int64s(this.#fresh(word), values);
  }

  int64(word: string, value: number): string {
    return this.tensor(word, { dtype: 'int64', shape: [], data: BigInt64Array.of(BigInt(value)) });
  }

  /** Adds a reduction over one axis, which is kept as 1 where nothing else is said. */
  reduce(opType: string, value: string, axis: number, word: string, keepdims = 1): string {
    return this.node(opType, [value, this.int64s(`${word}_axis`, [axis])], word, { keepdims });
  }

  #fresh(word: string): string {
    return this.graph.freshName(`${this.name}/${word}`);
  }
}
