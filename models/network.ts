import { option, UsageError } from '../src/common/errors.ts';
import type { Tensor } from '../src/common/tensor.ts';
import { float, GraphBuilder } from '../src/graph/builder.ts';
import { ElementType } from '../src/graph/onnx.ts';

/** A value of the graph under construction: N × channels × height × width, or N × channels once flattened (1 × 1). */
export interface Value {
  readonly name: string;
  readonly channels: number;
  readonly height: number;
  readonly width: number;
}

export interface ConvolutionOptions {
  /** Side of the square kernel. Default 3. */
  kernel?: number;
  stride?: number;
  /** On each side; by default such that only the stride changes height and width, for odd kernels. */
  padding?: number;
  groups?: number;
  bias?: boolean;
  /** Whether the output is one of the network's taps. Default true. */
  tap?: boolean;
}

export interface PoolOptions {
  /** The size of the window where absent. */
  stride?: number;
  padding?: number;
  /** Whether windows that reach over the edge count too. */
  ceil?: boolean;
}

/** Activations, by the names that transformers has for them. */
export const activations = ['relu', 'leaky_relu', 'silu', 'gelu'] as const;
export type Activation = (typeof activations)[number];

export interface NetworkOptions {
  readonly activation?: Activation;
  /** The eps of a batch normalisation by its module path; 1e-5 where it is undefined. */
  readonly epsilon?: (path: string) => number | undefined;
}

/**
 * The layers that the backbones are made of, in PyTorch's words. Calling them in the order of the forward pass writes
 * the ONNX graph, and collects on the way what else follows from it:
 *
 * - `parameters`: the state dict's keys and shapes, in the order of execution, which is the order of registration in
 *   the original's networks.
 * - `taps`: the values worth exposing, in execution order.
 *
 * A value is named after the PyTorch module that yields it, a weight after its key in the state dict. The graph knows
 * weights by name alone until `graph.initializer` adds them.
 */
export class Network {
  readonly graph: GraphBuilder;
  readonly parameters = new Map<string, readonly number[]>();
  readonly taps: string[] = [];
  /** The graph's own constants, which are no weights. */
  readonly constants = new Map<string, Tensor>();
  readonly #activation: Activation;
  readonly #epsilon: (path: string) => number | undefined;

  constructor(name: string, { activation = 'relu', epsilon = () => undefined }: NetworkOptions = {}) {
    this.graph = new GraphBuilder(name);
    this.#activation = activation;
    this.#epsilon = epsilon;
  }

  /** The graph's input: N × channels × height × width, normalised. */
  image(channels: number, height: number, width: number): Value {
    const name = this.graph.input('input', ElementType.float, ['batch', channels, height, width]);
    return { name, channels, height, width };
  }

  /** `nn.Conv2d`. */
  convolution(path: string, x: Value, channels: number, options: ConvolutionOptions = {}): Value {
    const {
      kernel = 3,
      stride = 1,
      padding = (kernel - 1) / 2,
      groups = 1,
      bias = false,
      tap = true,
    } = options;
    const weights = [this.#parameter(`${path}.weight`, channels, x.channels / groups, kernel, kernel)];
    if (bias) weights.push(this.#parameter(`${path}.bias`, channels));
    const name = this.graph.node('Conv', [x.name, ...weights], {
      name: path,
      attributes: {
        kernel_shape: [kernel, kernel],
        pads: [padding, padding, padding, padding],
        strides: [stride, stride],
        ...(groups !== 1 && { group: groups }),
      },
    });
    if (tap) this.taps.push(name);
    return windows({ ...x, name, channels }, kernel, stride, padding);
  }

  /** `nn.BatchNorm2d`. */
  batchNorm(path: string, x: Value): Value {
    const weights = ['weight', 'bias', 'running_mean', 'running_var'].map((field) =>
      this.#parameter(`${path}.${field}`, x.channels),
    );
    this.#parameter(`${path}.num_batches_tracked`);
    // ONNX's momentum is the share of the old statistics, PyTorch's that of the new.
    const attributes = { epsilon: float(this.#epsilon(path) ?? 1e-5), momentum: float(0.9) };
    return {
      ...x,
      name: this.graph.node('BatchNormalization', [x.name, ...weights], { name: path, attributes }),
    };
  }

  /** The network's activation: ReLU but where a family says another. */
  activation(x: Value, path = `${x.name}.relu`, kind: Activation = this.#activation): Value {
    const node = (opType: string, inputs: string[], name?: string) =>
      this.graph.node(opType, inputs, { name });
    switch (kind) {
      case 'relu':
        return { ...x, name: node('Relu', [x.name], path) };
      case 'leaky_relu': {
        const attributes = { alpha: float(0.01) };
        return { ...x, name: this.graph.node('LeakyRelu', [x.name], { name: path, attributes }) };
      }
      case 'silu':
        return { ...x, name: node('Mul', [x.name, node('Sigmoid', [x.name], `${path}.sigmoid`)], path) };
      case 'gelu': {
        const scalar = (field: string, value: number) => this.#constant(`${path}.${field}`, [], [value]);
        const erf = node(
          'Erf',
          [node('Div', [x.name, scalar('sqrt2', Math.SQRT2)], `${path}.scaled`)],
          `${path}.erf`,
        );
        const gate = node('Add', [erf, scalar('one', 1)], `${path}.gate`);
        const gated = node('Mul', [x.name, gate], `${path}.gated`);
        return { ...x, name: node('Mul', [gated, scalar('half', 0.5)], path) };
      }
    }
  }

  /** `nn.MaxPool2d`. */
  maxPool(path: string, x: Value, size: number, options: PoolOptions = {}): Value {
    return this.#pool('MaxPool', path, x, size, options);
  }

  /** `nn.AvgPool2d`; pixels beyond the edge are not counted. */
  averagePool(path: string, x: Value, size: number, options: PoolOptions = {}): Value {
    return this.#pool('AveragePool', path, x, size, options);
  }

  /** timm's `BlurPool2d`: each channel with (1, 2, 1)² / 16 and stride 2, its edges reflected. */
  blur(path: string, x: Value): Value {
    const pads = this.graph.int64s(`${path}.pads`, [0, 0, 1, 1, 0, 0, 1, 1]);
    const padded = this.graph.node('Pad', [x.name, pads], {
      name: `${path}.pad`,
      attributes: { mode: 'reflect' },
    });
    const kernel = [1, 2, 1, 2, 4, 2, 1, 2, 1].map((weight) => weight / 16);
    const weights = Array.from({ length: x.channels }, () => kernel).flat();
    const filter = this.#constant(`${path}.filter`, [x.channels, 1, 3, 3], weights);
    const name = this.graph.node('Conv', [padded, filter], {
      name: path,
      attributes: { kernel_shape: [3, 3], strides: [2, 2], group: x.channels },
    });
    return windows({ ...x, name }, 3, 2, 1);
  }

  /** `nn.AdaptiveAvgPool2d((side, side))`: row i of the result is the mean of rows ⌊ih/side⌋ to ⌈(i+1)h/side⌉. */
  adaptiveAveragePool(path: string, x: Value, side: number): Value {
    const { height, width } = x;
    if (height === side && width === side) return x;
    if (side === 1)
      return {
        ...x,
        name: this.graph.node('GlobalAveragePool', [x.name], { name: path }),
        height: 1,
        width: 1,
      };
    const rows = this.#constant(`${path}.rows`, [side, height], adaptiveMeans(height, side));
    const columns = transposed(adaptiveMeans(width, side), side, width);
    const right = this.#constant(`${path}.columns`, [width, side], columns);
    const narrow = this.graph.node('MatMul', [x.name, right], { name: `${path}.narrow` });
    return {
      ...x,
      name: this.graph.node('MatMul', [rows, narrow], { name: path }),
      height: side,
      width: side,
    };
  }

  /**
   * The mean over height and width, flattened.
   *
   * @param side of a pool that takes maps of no other size
   */
  globalAveragePool(x: Value, side?: number): Value {
    if (side !== undefined && (x.height !== side || x.width !== side))
      throw new UsageError(
        option('size'),
        `leaves a map of ${x.height}×${x.width} where the network's last pool takes ${side}×${side}`,
        'take the size that the network is for',
      );
    const name = this.graph.node('GlobalAveragePool', [x.name], { name: 'pool' });
    return this.flatten({ ...x, name, height: 1, width: 1 });
  }

  /** Channel by channel, and row by row within each. */
  flatten(x: Value): Value {
    const name = this.graph.node('Flatten', [x.name], { name: this.graph.freshName('flatten') });
    return { name, channels: x.channels * x.height * x.width, height: 1, width: 1 };
  }

  /** `nn.Linear`: Gemm with `transB` takes its weight as it is. */
  linear(path: string, x: Value, features: number, { bias = true, output = path } = {}): Value {
    const weights = [this.#parameter(`${path}.weight`, features, x.channels)];
    if (bias) weights.push(this.#parameter(`${path}.bias`, features));
    const name = this.graph.node('Gemm', [x.name, ...weights], {
      name: path,
      outputs: [output],
      attributes: { transB: 1 },
    });
    return { ...x, name, channels: features };
  }

  /** The last `nn.Linear`, whose output is the graph's and the last tap: `logits`. */
  logits(path: string, x: Value, classes: number, bias = true): void {
    const { name } = this.linear(path, x, classes, { bias, output: 'logits' });
    this.graph.output(name, ElementType.float, ['batch', classes]);
    this.taps.push(name);
  }

  /** `nn.Dropout`: kept so that the graph can be trained; in inference onnxruntime removes it. */
  dropout(path: string, x: Value, ratio: number): Value {
    const probability = this.#constant(`${path}.ratio`, [], [ratio]);
    return { ...x, name: this.graph.node('Dropout', [x.name, probability], { name: path }) };
  }

  add(path: string, a: Value, b: Value): Value {
    return { ...a, name: this.graph.node('Add', [a.name, b.name], { name: path }) };
  }

  /** Joins along the channels. */
  concat(path: string, a: Value, b: Value): Value {
    const name = this.graph.node('Concat', [a.name, b.name], { name: path, attributes: { axis: 1 } });
    return { ...a, name, channels: a.channels + b.channels };
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
    const half = (size: number) => Math.ceil(size / 2);
    const name = this.graph.node('Slice', [x.name, ...bounds], { name: path });
    return { ...x, name, height: half(x.height), width: half(x.width) };
  }

  /** Adds `count` channels of zeros before and as many behind. */
  padChannels(path: string, x: Value, count: number): Value {
    const pads = this.graph.int64s(`${path}.pads`, [0, count, 0, 0, 0, count, 0, 0]);
    const name = this.graph.node('Pad', [x.name, pads], { name: path });
    return { ...x, name, channels: x.channels + 2 * count };
  }

  #parameter(key: string, ...shape: number[]): string {
    this.parameters.set(key, shape);
    return key;
  }

  #constant(name: string, shape: readonly number[], values: readonly number[]): string {
    const tensor: Tensor = { dtype: 'float32', shape, data: Float32Array.from(values) };
    this.constants.set(name, tensor);
    return this.graph.initializer(name, tensor);
  }

  #pool(
    opType: 'MaxPool' | 'AveragePool',
    path: string,
    x: Value,
    size: number,
    options: PoolOptions,
  ): Value {
    const { stride = size, padding = 0, ceil = false } = options;
    const attributes = {
      kernel_shape: [size, size],
      strides: [stride, stride],
      ...(padding !== 0 && { pads: [padding, padding, padding, padding] }),
      ...(ceil && { ceil_mode: 1 }),
    };
    const name = this.graph.node(opType, [x.name], { name: path, attributes });
    return windows({ ...x, name }, size, stride, padding, ceil);
  }
}

/** The value with as many rows and columns as there are places for a window. */
function windows(x: Value, size: number, stride: number, padding: number, ceil = false): Value {
  const round = ceil ? Math.ceil : Math.floor;
  const places = (length: number) => round((length + 2 * padding - size) / stride) + 1;
  return { ...x, height: places(x.height), width: places(x.width) };
}

/** The matrix side × length that takes the means, row by row. */
function adaptiveMeans(length: number, side: number): number[] {
  return Array.from({ length: side }, (_, i) => {
    const start = Math.floor((i * length) / side);
    const end = Math.ceil(((i + 1) * length) / side);
    return Array.from({ length }, (_, j) => (j >= start && j < end ? 1 / (end - start) : 0));
  }).flat();
}

function transposed(matrix: readonly number[], rows: number, columns: number): number[] {
  return Array.from({ length: columns }, (_, j) =>
    Array.from({ length: rows }, (_, i) => matrix[i * columns + j]),
  ).flat();
}
