import { DetectorError } from '../../common/errors.ts';
import { RandomState } from '../../common/random.ts';
import type { LinearHead } from '../../graph/classifier/classifier.ts';
import { groupTaps, sideBySide, type TapGroup } from '../layer-detectors.ts';
import type { LayerSvm } from '../layer-svm.ts';

/** Features of training images, read in blocks of rows; where they lie is not this folder's matter. */
export interface TrainingFeatures {
  /** Number of images. */
  readonly count: number;
  readonly classes: number;
  /** Whether an image may be of several classes. */
  readonly isMultiLabel?: boolean;
  /** Width of the head input; absent where the classifier has no last linear layer, or the features lack its input. */
  readonly width?: number;
  readonly head?: Pick<LinearHead, 'weight' | 'bias'>;
  /** The class of each image, where it is known. */
  readonly labels?: Uint32Array;
  /** Rows `start … start + count - 1`, row-major, all finite: `count × classes`. */
  logits(start: number, count: number): Float32Array;
  /** The same: `count × width`. */
  headInput(start: number, count: number): Float32Array;
  /** The network's taps; absent where the features hold none. */
  readonly layers?: TrainingLayers;
  /** The run's one-class SVMs. */
  readonly svms?: readonly LayerSvm[];
}

/** Pooled values of taps, in the network's order. */
export interface TrainingLayers {
  readonly widths: ReadonlyMap<string, number>;
  /** All rows of one: images × width. */
  read(tap: string): Float32Array;
}

/** Rows of a value. */
export interface Rows {
  readonly start: number;
  readonly count: number;
  /** count × width, row-major. */
  readonly values: Float32Array;
}

/** Bytes of a block of rows: what is done with it finds it in the processor's cache. */
export const BLOCK_BYTES = 2 << 20;

/** The training features as methods are fitted on them: what several methods need is computed once. */
export class Training {
  readonly features: TrainingFeatures;
  readonly #shared = new Map<string, unknown>();
  /** The first rows that are known to be finite. */
  readonly #finiteRows = { logits: 0, headInput: 0 };

  constructor(features: TrainingFeatures) {
    this.features = features;
  }

  get count(): number {
    return this.features.count;
  }

  get classes(): number {
    return this.features.classes;
  }

  /** Width of the head input. */
  get width(): number {
    return this.features.width!;
  }

  get head(): Pick<LinearHead, 'weight' | 'bias'> {
    return this.features.head!;
  }

  /** The logits, block by block. */
  *logits(): Generator<Rows> {
    for (const block of this.#blocks('logits', this.classes, BLOCK_BYTES))
      yield this.#finite('logits', block, this.classes);
  }

  /** The head inputs, block by block. */
  *headInputs(): Generator<Rows> {
    for (const block of this.uncheckedHeadInputs()) yield this.#finite('headInput', block, this.width);
  }

  /** Those of the first few hundred images. */
  firstHeadInputs(): Float32Array {
    const { value } = this.headInputs().next();
    return value.values;
  }

  /** All of them, not checked to be finite: for sums, which are not finite where they are not. @param bytes of a block */
  uncheckedHeadInputs(bytes = BLOCK_BYTES): Generator<Rows> {
    return this.#blocks('headInput', this.width, bytes);
  }

  /** Groups of neighbouring taps, one after the other. */
  async *groups(): AsyncGenerator<TapGroup> {
    const { widths, read } = this.features.layers!;
    const taps = [...widths];
    for (const group of groupTaps([...widths.values()])) {
      const names = group.map((at) => taps[at][0]);
      const own = group.map((at) => taps[at][1]);
      const features = sideBySide(names.map(read), own);
      const width = own.reduce((sum, size) => sum + size, 0);
      yield { taps: names, features, width };
    }
  }

  /** The class of each image: its label where labels are known, else the class that the classifier predicts. */
  get labels(): Uint32Array {
    return this.features.labels ?? this.predictions;
  }

  /** The class of each image's largest logit. */
  get predictions(): Uint32Array {
    return this.shared('predictions', () => {
      const predicted = new Uint32Array(this.count);
      for (const { start, count, values } of this.logits())
        for (let row = 0; row < count; row++) {
          const first = row * this.classes;
          let top = 0;
          for (let c = 1; c < this.classes; c++) if (values[first + c] > values[first + top]) top = c;
          predicted[start + row] = top;
        }
      return predicted;
    });
  }

  /**
   * Head inputs of some images that are drawn at random, none twice, in the images' order; all where there are no more.
   *
   * @param padded zeros follow up to so many rows
   */
  sample(size: number, seed: number, padded = size): { rows: Float32Array; indices: Uint32Array } {
    const { count, width } = this;
    const indices = new RandomState(seed).permutation(count).slice(0, size).sort();
    const rows = new Float32Array(padded * width);
    let at = 0;
    for (const block of this.headInputs())
      for (; at < indices.length && indices[at] < block.start + block.count; at++) {
        const from = (indices[at] - block.start) * width;
        rows.set(block.values.subarray(from, from + width), at * width);
      }
    return { rows, indices };
  }

  /** What is computed once, whoever asks first. */
  shared<T>(name: string, compute: () => T): T {
    if (!this.#shared.has(name)) this.#shared.set(name, compute());
    return this.#shared.get(name) as T;
  }

  *#blocks(value: 'logits' | 'headInput', width: number, bytes: number): Generator<Rows> {
    const most = Math.max(1, Math.floor(bytes / (4 * width)));
    for (let start = 0; start < this.count; start += most) {
      const count = Math.min(most, this.count - start);
      yield { start, count, values: this.features[value](start, count) };
    }
  }

  /** A block, looked at once, however often it is read. */
  #finite(value: 'logits' | 'headInput', block: Rows, width: number): Rows {
    if (block.start >= this.#finiteRows[value]) {
      requireFinite(block, width);
      this.#finiteRows[value] = block.start + block.count;
    }
    return block;
  }
}

/** @throws DetectorError where a number is not finite, which names the image */
export function requireFinite({ values, start }: Rows, width: number): void {
  // In float64 no sum of finite float32 numbers overflows; four at once wait for each other less.
  let [a, b, c, d] = [0, 0, 0, 0];
  const whole = values.length & ~3;
  for (let i = 0; i < whole; i += 4) {
    a += values[i];
    b += values[i + 1];
    c += values[i + 2];
    d += values[i + 3];
  }
  for (let i = whole; i < values.length; i++) a += values[i];
  if (Number.isFinite(a + b + c + d)) return;
  const image = start + Math.floor(values.findIndex((value) => !Number.isFinite(value)) / width);
  throw new DetectorError(
    `training image ${image}`,
    'a feature is not a finite number',
    'look for images or weights that are not finite',
  );
}
