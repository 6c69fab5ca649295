import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import type { DType, StateDict, Tensor } from '../../src/common/tensor.ts';

/** Golden files of published networks: what they say, and weights and images made again by their formula `zoo-1`. */

export interface ZooNetwork {
  readonly family: string;
  readonly arch: string;
  readonly wrapper: {
    readonly format: readonly ('zip' | 'legacy' | 'safetensors')[];
    readonly whole_module: boolean;
    readonly path: readonly string[];
    readonly prefix: string;
    readonly inner_prefix?: Readonly<Record<string, string>>;
    readonly beside: Readonly<Record<string, string>>;
    readonly counters?: string;
    readonly config_json?: string;
  };
  readonly class_count: number;
  readonly input: { readonly size: readonly [number, number]; readonly channels: number };
  readonly gain: number;
  readonly values?: Readonly<Record<string, number | number[]>>;
  readonly tensors: readonly (readonly [string, readonly number[], DType, { readonly same_as: string }?])[];
  readonly logits: {
    readonly values: readonly (readonly number[])[];
    readonly sum?: readonly number[];
    readonly max_index?: readonly number[];
  };
  readonly taps: Readonly<Record<string, readonly (readonly number[])[]>>;
  readonly module_tree?: readonly (readonly [string, string, Readonly<Record<string, unknown>>])[];
}

export function readZoo(path: string): ZooNetwork {
  const bytes = readFileSync(path);
  return JSON.parse((path.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString());
}

/** The weights, by their keys in the file without its wrapper's prefix. */
export function zooWeights({ tensors, gain, values = {} }: ZooNetwork): StateDict {
  const weights: StateDict = new Map();
  for (const [key, shape, dtype, tie] of tensors)
    weights.set(key, tie ? weights.get(tie.same_as)! : makeTensor(key, shape, dtype, gain, values));
  return weights;
}

/** The batch of two, N×C×H×W. */
export function zooImage({ input: { size, channels } }: ZooNetwork): Tensor & { data: Float32Array } {
  const [height, width] = size;
  const shape = [2, channels, height, width];
  const pixel = stream('image');
  const coarse = Float64Array.from({ length: 2 * channels * 16 }, stream('pattern'));
  const data = new Float32Array(2 * channels * height * width);
  let i = 0;
  for (let plane = 0; plane < 2 * channels; plane++)
    for (let y = 0; y < height; y++)
      for (let z = 0; z < width; z++) {
        const p = coarse[plane * 16 + Math.floor((4 * y) / height) * 4 + Math.floor((4 * z) / width)];
        data[i++] = 2 * pixel() - 1 + 1.5 * (2 * p - 1);
      }
  return { dtype: 'float32', shape, data };
}

function makeTensor(
  key: string,
  shape: readonly number[],
  dtype: DType,
  gain: number,
  values: NonNullable<ZooNetwork['values']>,
): Tensor {
  const count = shape.reduce((product, size) => product * size, 1);
  const last = key.slice(key.lastIndexOf('.') + 1);
  if (last === 'num_batches_tracked') return { dtype: 'int64', shape, data: BigInt64Array.of(100n) };
  const data = new Float32Array(count);
  const given = values[key];
  const next = stream(key);
  const fan = shape.slice(1).reduce((product, size) => product * size, 1);
  const scale = Math.sqrt(3 / fan) * gain;
  if (given !== undefined) data.set([given].flat(Number.POSITIVE_INFINITY) as number[]);
  else if (last === 'running_var' || (last === 'weight' && shape.length === 1))
    for (let i = 0; i < count; i++) data[i] = 0.5 + next();
  else if (last === 'weight') for (let i = 0; i < count; i++) data[i] = (2 * next() - 1) * scale;
  else if (last === 'bias' || last === 'running_mean')
    for (let i = 0; i < count; i++) data[i] = (2 * next() - 1) * 0.1;
  else throw new Error(`no rule and no values for ${key}`);
  if (dtype === 'float32') return { dtype, shape, data };
  return { dtype, shape, data: Uint16Array.from(data, dtype === 'float16' ? float16 : bfloat16) };
}

/** mulberry32, seeded with the FNV-1a hash of a name. */
function stream(name: string): () => number {
  let state = 2166136261;
  for (const byte of Buffer.from(name)) state = Math.imul(state ^ byte, 16777619);
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

const word = new Uint32Array(1);
const asFloat = new Float32Array(word.buffer);

function bfloat16(value: number): number {
  asFloat[0] = value;
  return (word[0] + 0x7fff + ((word[0] >>> 16) & 1)) >>> 16;
}

/** To nearest, ties to even. */
function float16(value: number): number {
  asFloat[0] = value;
  const sign = (word[0] >>> 16) & 0x8000;
  const magnitude = Math.abs(value);
  const exponent = Math.max(Math.floor(Math.log2(magnitude || 1e-9)), -14);
  const units = magnitude / 2 ** (exponent - 10);
  const floor = Math.floor(units);
  const rest = units - floor;
  const rounded = rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor;
  // A carry runs into the exponent by itself; subnormals have none.
  return rounded < 1024 ? sign | rounded : sign | (((exponent + 15) << 10) + rounded - 1024);
}
