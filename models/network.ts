import { float, GraphBuilder } from '../src/graph/builder.ts';
import { ElementType } from '../src/graph/onnx.ts';

/** A value of the graph under construction: N × channels × H × W, or N × channels once flattened. */
export interface Value {
  readonly name: string;
  readonly channels: number;
}

export interface ConvolutionOptions {
  /** Side of the square kernel; odd, and padded so that only the stride changes H and W. Default 3. */
  kernel?: number;
  stride?: number;
  bias?: boolean;
  /** Whether the output is one of the network's taps. Default true. */
  tap?: boolean;
}

/**
 * The layers that the backbones are made of, in PyTorch's words. Calling them in the order of the forward pass writes
 * the ONNX graph, and collects on the way what else follows from it:
 *
 * - `parameters`: the state dict's keys and shapes. All our backbones register their modules in the order in which
 *   they run them, so this is PyTorch's order too.
 * - `taps`: the values worth exposing, in execution order.
 *
 * A value is named after the PyTorch module that yields it, a weight after its key in the state dict. The graph knows
 * weights by name alone until `graph.initializer` adds them.
 */
export class Network {
  readonly graph: GraphBuilder;
  readonly parameters = new Map<string, readonly number[]>();
  readonly taps: string[] = [];

  constructor(name: string) {
    this.graph = new GraphBuilder(name);
  }

  /** The graph's input: N × channels × size × size, normalised. */
  image(channels: number, size: number): Value {
    const name = this.graph.input('input', ElementType.float, ['batch', channels, size, size]);
    return { name, channels };
  }

  /** `nn.Conv2d` with padding `kernel // 2`. */
  convolution(path: string, x: Value, channels: number, options: ConvolutionOptions = {}): Value {
    const { kernel = 3, stride = 1, bias = false, tap = true } = options;
    const weights = [this.#parameter(`${path}.weight`, channels, x.channels, kernel, kernel)];
    if (bias) weights.push(this.#parameter(`${path}.bias`, channels));
    const pad = (kernel - 1) / 2;
    const name = this.graph.node('Conv', [x.name, ...weights], {
      name: path,
      attributes: { kernel_shape: [kernel, kernel], pads: [pad, pad, pad, pad], strides: [stride, stride] },
    });
    if (tap) this.taps.push(name);
    return { name, channels };
  }

  /** `nn.BatchNorm2d`. */
  batchNorm(path: string, x: Value): Value {
    const { channels } = x;
    const weights = ['weight', 'bias', 'running_mean', 'running_var'].map((field) =>
      this.#parameter(`${path}.${field}`, channels),
    );
    this.#parameter(`${path}.num_batches_tracked`);
    // ONNX's momentum is the share of the old statistics, PyTorch's that of the new.
    const attributes = { epsilon: float(1e-5), momentum: float(0.9) };
    return {
      name: this.graph.node('BatchNormalization', [x.name, ...weights], { name: path, attributes }),
      channels,
    };
  }

  relu(x: Value, path = `${x.name}.relu`): Value {
    return { ...x, name: this.graph.node('Relu', [x.name], { name: path }) };
  }

  maxPool(path: string, x: Value, size: number): Value {
    return { ...x, name: this.#pool('MaxPool', path, x, size) };
  }

  averagePool(path: string, x: Value, size: number): Value {
    return { ...x, name: this.#pool('AveragePool', path, x, size) };
  }

  /** The mean over H and W, flattened. */
  globalAveragePool(x: Value): Value {
    const name = this.graph.node('GlobalAveragePool', [x.name], { name: 'pool' });
    return this.flatten({ ...x, name });
  }

  /** Flattens N × channels × 1 × 1. */
  flatten(x: Value): Value {
    return { ...x, name: this.graph.node('Flatten', [x.name], { name: 'flatten' }) };
  }

  /** `nn.Linear`: Gemm with `transB` takes its weight as it is. */
  linear(path: string, x: Value, features: number, output = path): Value {
    const weight = this.#parameter(`${path}.weight`, features, x.channels);
    const bias = this.#parameter(`${path}.bias`, features);
    const attributes = { transB: 1 };
    const name = this.graph.node('Gemm', [x.name, weight, bias], {
      name: path,
      outputs: [output],
      attributes,
    });
    return { name, channels: features };
  }

  /** The last `nn.Linear`, whose output is the graph's and the last tap: `logits`. */
  logits(path: string, x: Value, classes: number): void {
    const { name } = this.linear(path, x, classes, 'logits');
    this.graph.output(name, ElementType.float, ['batch', classes]);
    this.taps.push(name);
  }

  /** `nn.Dropout`: kept so that the graph can be trained; in inference onnxruntime removes it. */
  dropout(path: string, x: Value, ratio: number): Value {
    const data = Float32Array.of(ratio);
    const probability = this.graph.initializer(`${path}.ratio`, { dtype: 'float32', shape: [], data });
    return { ...x, name: this.graph.node('Dropout', [x.name, probability], { name: path }) };
  }

  add(path: string, a: Value, b: Value): Value {
    return { ...a, name: this.graph.node('Add', [a.name, b.name], { name: path }) };
  }

  /** Joins along the channels. */
  concat(path: string, a: Value, b: Value): Value {
    const name = this.graph.node('Concat', [a.name, b.name], { name: path, attributes: { axis: 1 } });
    return { name, channels: a.channels + b.channels };
  }

  /** Every second row and column, `x[:, :, ::2, ::2]`. */
  subsample(path: string, x: Value): Value {
    const list = (field: string, values: number[]) => this.graph.int64s(`${path}.${field}`, values);
    const end = 2 ** 31 - 1; // past any size: ONNX clamps it
    const bounds = [
      list('starts', [0, 0]),
      list('ends', [end, end]),
      list('axes', [2, 3]),
      list('steps', [2, 2]),
    ];
    return { ...x, name: this.graph.node('Slice', [x.name, ...bounds], { name: path }) };
  }

  /** Adds `count` channels of zeros before and as many behind. */
  padChannels(path: string, x: Value, count: number): Value {
    const pads = this.graph.int64s(`${path}.pads`, [0, count, 0, 0, 0, count, 0, 0]);
    const name = this.graph.node('Pad', [x.name, pads], { name: path });
    return { name, channels: x.channels + 2 * count };
  }

  #parameter(key: string, ...shape: number[]): string {
    this.parameters.set(key, shape);
    return key;
  }

  #pool(opType: 'MaxPool' | 'AveragePool', path: string, x: Value, size: number): string {
    const attributes = { kernel_shape: [size, size], strides: [size, size] };
    return this.graph.node(opType, [x.name], { name: path, attributes });
  }
}
