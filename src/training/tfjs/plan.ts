import { GraphError } from '../../common/errors.ts';
import { printable } from '../../common/printable.ts';
import { type Tensor, toFloat32 } from '../../common/tensor.ts';
import { attribute, intAttribute } from '../../graph/attributes.ts';
import { dynamicBatch } from '../../graph/dynamic-batch.ts';
import {
  ElementType,
  type GraphProto,
  type ModelProto,
  type NodeProto,
  type TensorProto,
} from '../../graph/onnx.ts';
import { inferShapes, type ValueType } from '../../graph/shapes.ts';
import { tensorFromProto } from '../../graph/tensor-proto.ts';
import { consumers, nodeLabel, producers, requiredInputs, sortNodes } from '../../graph/topology.ts';
import type { TensorFlow } from './backend.ts';
import { isElementwise } from './operators/activation-operators.ts';
import type { Layer, Node } from './operators/operator.ts';
import { operators } from './operators/operator-table.ts';
import { Parameter, type WeightLayout } from './parameter.ts';

/** A graph, ready to be computed. */
export interface Plan {
  /** Name of the images that it takes. */
  readonly input: string;
  /** What is computed, in order. */
  readonly layers: readonly PlannedLayer[];
  /** Trained initializers, by name. */
  readonly weights: ReadonlyMap<string, Parameter>;
  /** Running statistics, by name. */
  readonly statistics: ReadonlyMap<string, Parameter>;
}

export interface PlannedLayer {
  readonly layer: Layer;
  /** The values that it takes. */
  readonly inputs: readonly string[];
  readonly output: string;
}

/** Operators all of whose inputs may be computed; of the others, the first. */
const joins = ['Add', 'Concat', 'Mul'];

/**
 * Reads a graph once: which operators it has, what is trained, and how each weight lies.
 *
 * @param exposed values besides the graph's outputs that are wanted
 * @throws GraphError where the graph holds something that training does not know
 */
export function planGraph(
  model: ModelProto,
  exposed: readonly string[],
  tf: TensorFlow,
  where: string,
): Plan {
  return new Planner(dynamicBatch(model), exposed, tf, where).plan();
}

class Planner {
  readonly #graph: GraphProto;
  readonly #types: Map<string, ValueType>;
  readonly #producers: Map<string, NodeProto>;
  readonly #consumers: Map<string, NodeProto[]>;
  readonly #initializers: Map<string, TensorProto>;
  readonly #wanted: ReadonlySet<string>;
  readonly #tf: TensorFlow;
  readonly #where: string;
  readonly #weights = new Map<string, Parameter>();
  readonly #statistics = new Map<string, Parameter>();
  readonly #flattened = new Map<string, readonly number[]>();

  constructor(model: ModelProto, exposed: readonly string[], tf: TensorFlow, where: string) {
    this.#graph = model.graph;
    this.#types = inferShapes(model);
    this.#producers = producers(model.graph);
    this.#consumers = consumers(model.graph);
    this.#initializers = new Map(model.graph.initializer.map((tensor) => [tensor.name, tensor]));
    this.#wanted = new Set([...model.graph.output.map(({ name }) => name), ...exposed]);
    this.#tf = tf;
    this.#where = where;
  }

  plan(): Plan {
    const inputs = requiredInputs(this.#graph);
    const [input] = inputs;
    if (inputs.length !== 1 || this.#types.get(input.name)?.shape?.length !== 4)
      throw new GraphError(
        this.#where,
        'does not take one batch of images',
        'only image classifiers are trained',
      );
    const needed = this.#neededNodes();
    const layers = sortNodes(this.#graph, this.#where)
      .filter((node) => needed.has(node))
      .map((proto): PlannedLayer => {
        const layer = operators[proto.opType](this.#node(proto));
        const [output] = proto.output;
        if (layer.flattenedFrom) this.#flattened.set(output, layer.flattenedFrom);
        else if (isElementwise({ proto }) && this.#flattened.has(proto.input[0]))
          this.#flattened.set(output, this.#flattened.get(proto.input[0])!);
        return { layer, inputs: layer.inputs.map((index) => proto.input[index]), output };
      });
    return { input: input.name, layers, weights: this.#weights, statistics: this.#statistics };
  }

  /** The nodes that lead to what is wanted, without those that compute shapes. */
  #neededNodes(): Set<NodeProto> {
    const needed = new Set<NodeProto>();
    const open = [...this.#wanted];
    for (let name = open.pop(); name !== undefined; name = open.pop()) {
      const node = this.#producers.get(name);
      if (!node || needed.has(node) || this.#constant(name)) continue;
      if ((node.domain && node.domain !== 'ai.onnx') || !Object.hasOwn(operators, node.opType))
        throw new GraphError(
          `${this.#where}: ${nodeLabel(node)}`,
          `training does not know the operator ${printable(node.opType)}`,
          `it knows ${Object.keys(operators).join(', ')}`,
        );
      if (node.output.indexOf(name) > 0) throw this.#unsupported(node, 'a second output');
      needed.add(node);
      open.push(...(joins.includes(node.opType) ? node.input : node.input.slice(0, 1)));
    }
    return needed;
  }

  #node(proto: NodeProto): Node {
    const nameOf = (index: number) => this.#sourceOf(proto.input[index] ?? '');
    return {
      proto,
      tf: this.#tf,
      inputCount: proto.input.filter((name) => name !== '').length,
      inputShape: (index) => this.#shape(proto, proto.input[index]),
      outputShape: () => this.#shape(proto, proto.output[0]),
      constant: (index) => this.#constant(proto.input[index] ?? ''),
      setting: (index) => this.#setting(proto, proto.input[index] ?? ''),
      weightShape: (index) => this.#initializer(proto, nameOf(index)).dims,
      weight: (index, layout) => this.#parameter(proto, nameOf(index), this.#weights, layout),
      statistic: (index) => this.#parameter(proto, nameOf(index), this.#statistics),
      flattenedFrom: (index) => this.#flattened.get(proto.input[index]),
      mayReorderFeatures: () => this.#reachesProductsOnly(proto.output[0]),
      unsupported: (what) => this.#unsupported(proto, what),
    };
  }

  #shape(node: NodeProto, name: string): number[] {
    const sizes = this.#types.get(name)?.shape?.slice(1);
    if (!sizes?.every((size) => typeof size === 'number'))
      throw this.#unsupported(node, `the value ${printable(name)}, whose shape cannot be inferred`);
    return sizes as number[];
  }

  #constant(name: string): Tensor | undefined {
    const source = this.#sourceOf(name);
    const initializer = this.#initializers.get(source);
    if (initializer) return tensorFromProto(initializer, this.#where);
    const node = this.#producers.get(source);
    if (node?.opType === 'Constant') {
      const proto = attribute(node, 'value')?.t;
      return proto && tensorFromProto(proto, this.#where);
    }
    // PyTorch writes ReLU6's bounds as constants that are cast.
    if (node?.opType !== 'Cast' || intAttribute(node, 'to') !== ElementType.float) return undefined;
    const value = this.#constant(node.input[0]);
    return value && { dtype: 'float32', shape: value.shape, data: toFloat32(value) };
  }

  #setting(node: NodeProto, name: string): Tensor | undefined {
    const value = this.#constant(name);
    if (name !== '' && !value)
      throw this.#unsupported(node, `the input ${printable(name)}, which is computed`);
    return value;
  }

  /** Exporters give an initializer that is used twice a second name. */
  #sourceOf(name: string): string {
    const node = this.#producers.get(name);
    return node?.opType === 'Identity' && !this.#initializers.has(name)
      ? this.#sourceOf(node.input[0])
      : name;
  }

  #initializer(node: NodeProto, name: string): TensorProto {
    const proto = this.#initializers.get(name);
    if (!proto || proto.dataType !== ElementType.float)
      throw this.#unsupported(node, `the weight ${printable(name)}, which is no float32 initializer`);
    return proto;
  }

  #parameter(node: NodeProto, name: string, group: Map<string, Parameter>, layout?: WeightLayout): Parameter {
    const tensor = tensorFromProto(this.#initializer(node, name), this.#where);
    const known = group.get(name);
    const parameter = new Parameter(this.#tf, name, tensor, layout);
    if (known && JSON.stringify(known.layout) !== JSON.stringify(parameter.layout))
      throw this.#unsupported(
        node,
        `the weight ${printable(name)}, which other operators use in another way`,
      );
    if (known) {
      parameter.dispose();
      return known;
    }
    group.set(name, parameter);
    return parameter;
  }

  /** Whether a value goes, by itself or element by element, into nothing but products with weights. */
  #reachesProductsOnly(name: string): boolean {
    if (this.#wanted.has(name)) return false;
    return (this.#consumers.get(name) ?? []).every(
      (proto) =>
        ['Gemm', 'MatMul'].includes(proto.opType) ||
        (isElementwise({ proto }) && this.#reachesProductsOnly(proto.output[0])),
    );
  }

  #unsupported(node: NodeProto, what: string): GraphError {
    return new GraphError(
      `${this.#where}: ${nodeLabel(node)}`,
      `training does not know ${node.opType} with ${what}`,
      'export the network in another way',
    );
  }
}
