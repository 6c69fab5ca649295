import type { Tensor as TfTensor } from '@tensorflow/tfjs-core';
import type { RandomState } from '../../common/random.ts';
import type { ModelProto } from '../../graph/onnx.ts';
import { tensorToProto } from '../../graph/tensor-proto.ts';
import type { TensorFlow } from './backend.ts';
import { type Kernels, kernelsOf } from './node-kernels.ts';
import type { Step } from './operators/operator.ts';
import type { Parameter } from './parameter.ts';
import { type Plan, type PlannedLayer, planGraph } from './plan.ts';

export interface ForwardOptions {
  /** What dropout draws from; nothing is dropped without it. */
  readonly random?: RandomState;
  /** Whether `backward` will be called. */
  readonly gradients?: boolean;
  /** Whether it is to give the images' gradient too. */
  readonly inputGradient?: boolean;
}

/** What `backward` gives; whoever asked for it disposes of it. */
export interface Gradients {
  readonly weights: Map<Parameter, TfTensor>;
  readonly input?: TfTensor;
}

/**
 * An ONNX graph that computes and learns in TensorFlow.js. Its weights are the graph's initializers: `model` gives the same
 * graph with what they have become.
 */
export class TrainableGraph {
  readonly tf: TensorFlow;
  readonly kernels: Kernels;
  readonly plan: Plan;
  /** The values that a pass keeps: the graph's outputs, and those asked for. */
  readonly exposed: readonly string[];
  readonly #model: ModelProto;

  /**
   * @param model takes one batch of images, N × C × H × W
   * @param exposed names of values besides the graph's outputs that are wanted of it
   * @param where the file, for errors
   * @throws GraphError that names the operator which training does not know
   */
  constructor(
    model: ModelProto,
    tf: TensorFlow,
    { exposed = [], where = 'model' }: { exposed?: readonly string[]; where?: string } = {},
  ) {
    this.tf = tf;
    this.kernels = kernelsOf(tf);
    this.plan = planGraph(model, exposed, tf, where);
    this.exposed = [...new Set([...model.graph.output.map(({ name }) => name), ...exposed])];
    this.#model = model;
  }

  /** Trained initializers, by name. */
  get weights(): ReadonlyMap<string, Parameter> {
    return this.plan.weights;
  }

  /** Running means and variances, by name. */
  get statistics(): ReadonlyMap<string, Parameter> {
    return this.plan.statistics;
  }

  /**
   * Computes the graph.
   *
   * @param images N × H × W × C, normalised
   */
  forward(images: TfTensor, options: ForwardOptions = {}): Pass {
    return new Pass(this, images, options);
  }

  /** The graph that was given, with the weights and statistics of this moment. */
  model(): ModelProto {
    const { graph } = this.#model;
    const initializer = graph.initializer.map((proto) => {
      const parameter = this.weights.get(proto.name) ?? this.statistics.get(proto.name);
      if (!parameter) return proto;
      return tensorToProto(proto.name, { dtype: 'float32', shape: proto.dims, data: parameter.read() });
    });
    return { ...this.#model, graph: { ...graph, initializer } };
  }

  /** Frees what TensorFlow holds. */
  dispose(): void {
    for (const parameter of [...this.weights.values(), ...this.statistics.values()]) parameter.dispose();
  }
}

/** What was computed of one layer. */
interface Computed {
  readonly planned: PlannedLayer;
  readonly step: Step;
  readonly wanted: readonly boolean[];
}

/** One batch on its way through the graph, and back. A tensor is freed as soon as nothing needs it any more. */
export class Pass {
  readonly #graph: TrainableGraph;
  readonly #values = new Map<string, TfTensor>();
  readonly #computed: Computed[] = [];
  /** How many still need a tensor. */
  readonly #holds = new Map<TfTensor, number>();

  constructor(graph: TrainableGraph, images: TfTensor, options: ForwardOptions) {
    this.#graph = graph;
    const { tf, kernels, plan, exposed } = graph;
    const { random, gradients = false, inputGradient = false } = options;
    const run = { kernels, random };
    const uses = new Map<string, number>(exposed.map((name) => [name, 1]));
    for (const { inputs } of plan.layers)
      for (const name of inputs) uses.set(name, (uses.get(name) ?? 0) + 1);

    /** Values that depend on a weight, or are the images where their gradient is asked for. */
    const learning = new Set(inputGradient ? [plan.input] : []);
    // The images are the caller's.
    this.#values.set(plan.input, images);
    this.#hold(images, 1 + (uses.get(plan.input) ?? 0));
    for (const planned of plan.layers) {
      const { layer, inputs, output } = planned;
      const values = inputs.map((name) => this.#values.get(name)!);
      let step!: Step;
      tf.tidy(() => {
        step = layer.forward(run, ...values);
        return [step.output, ...(gradients ? (step.saved ?? []) : [])];
      });
      this.#values.set(output, step.output);
      this.#hold(step.output, uses.get(output) ?? 0);
      if (gradients) {
        for (const saved of step.saved ?? []) this.#hold(saved, 1);
        this.#computed.push({ planned, step, wanted: inputs.map((name) => learning.has(name)) });
        learning.add(output);
      }
      for (const value of values) this.#release(value);
    }
  }

  /** A value that the graph exposes: N × H × W × C, or N × features. It belongs to this pass. */
  value(name: string): TfTensor {
    return this.#values.get(name)!;
  }

  /**
   * Goes back once, from the gradients of exposed values.
   *
   * @param gradients are disposed of
   */
  backward(gradients: ReadonlyMap<string, TfTensor>): Gradients {
    const { tf, plan } = this.#graph;
    const pending = new Map<string, TfTensor>();
    const weights = new Map<Parameter, TfTensor>();
    const accumulate = <K>(sums: Map<K, TfTensor>, key: K, gradient: TfTensor) => {
      const known = sums.get(key);
      sums.set(key, known ? tf.add(known, gradient) : gradient);
      if (known) for (const part of [known, gradient]) part.dispose();
    };
    for (const [name, gradient] of gradients) accumulate(pending, name, gradient);

    for (let computed = this.#computed.pop(); computed; computed = this.#computed.pop()) {
      const { planned, step, wanted } = computed;
      const dy = pending.get(planned.output);
      if (dy) {
        pending.delete(planned.output);
        const owners: Parameter[] = [];
        const results = tf.tidy(() => {
          const ofWeights: TfTensor[] = [];
          const add = (weight: Parameter, gradient: TfTensor) => {
            owners.push(weight);
            ofWeights.push(gradient);
          };
          const ofInputs = step.backward(dy, { add }, wanted);
          // Each gradient gets a tensor of its own, even where it is that of the output.
          return {
            ofWeights,
            ofInputs: ofInputs.map((gradient) => (gradient === dy ? tf.clone(dy) : gradient)),
          };
        });
        owners.forEach((weight, i) => {
          accumulate(weights, weight, results.ofWeights[i]);
        });
        planned.inputs.forEach((name, i) => {
          const gradient = results.ofInputs[i];
          if (gradient && wanted[i]) accumulate(pending, name, gradient);
          else gradient?.dispose();
        });
        dy.dispose();
      }
      for (const saved of step.saved ?? []) this.#release(saved);
    }
    return { weights, input: pending.get(plan.input) };
  }

  /** Frees what this pass still holds; not the images. */
  dispose(): void {
    const images = this.#values.get(this.#graph.plan.input);
    for (const tensor of this.#holds.keys()) if (tensor !== images) tensor.dispose();
    this.#holds.clear();
  }

  #hold(tensor: TfTensor, count: number): void {
    const held = (this.#holds.get(tensor) ?? 0) + count;
    if (held > 0) this.#holds.set(tensor, held);
    else tensor.dispose();
  }

  #release(tensor: TfTensor): void {
    const held = this.#holds.get(tensor)! - 1;
    if (held > 0) this.#holds.set(tensor, held);
    else {
      this.#holds.delete(tensor);
      tensor.dispose();
    }
  }
}
