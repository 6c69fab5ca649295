import { RandomState } from '../../../src/common/random.ts';
import type { TrainingFeatures } from '../../../src/detectors/methods/training.ts';

/** Features that a classifier could have made, by tap: images × width each, row-major. */
export interface MadeFeatures {
  readonly count: number;
  readonly logits: Float32Array;
  readonly headInput: Float32Array;
  readonly labels: Uint32Array;
  readonly taps: ReadonlyMap<string, Float32Array>;
}

export interface MakeOptions {
  readonly classes: number;
  readonly width: number;
  readonly seed?: number;
  /** Widths of taps. */
  readonly taps?: readonly number[];
}

/** A network that makes features: activations about a mean for each class, correlated and not negative. */
export class Network {
  readonly weight: Float32Array;
  readonly bias: Float32Array;
  readonly #means: Float64Array;
  readonly #mixing: Float64Array;
  readonly #options: MakeOptions;

  constructor(options: MakeOptions) {
    const { classes, width, seed = 1 } = options;
    const random = new RandomState(seed);
    const normals = (length: number, scale: number) =>
      Float64Array.from({ length }, () => scale * random.normal());
    this.#options = options;
    this.#means = normals(classes * width, 1);
    this.#mixing = normals(width * 8, 0.5);
    this.weight = Float32Array.from(this.#means, (mean) => 0.6 * Math.max(0, mean) + 0.05 * random.normal());
    this.bias = Float32Array.from({ length: classes }, () => 0.3 * random.normal());
  }

  /** @param isKnown images of the classes; else of mixtures of two of them, and farther from both */
  make(count: number, seed: number, isKnown = true): MadeFeatures {
    const { classes, width, taps: widths = [] } = this.#options;
    const random = new RandomState(seed);
    const headInput = new Float32Array(count * width);
    const logits = new Float32Array(count * classes);
    const labels = new Uint32Array(count);
    const taps = new Map(widths.map((own, t) => [`tap_${t}`, new Float32Array(count * own)]));
    for (let row = 0; row < count; row++) {
      const [label, other] = [random.integer(classes - 1), random.integer(classes - 1)];
      labels[row] = label;
      const factors = Float64Array.from({ length: 8 }, () => random.normal());
      for (let j = 0; j < width; j++) {
        const own = this.#means[label * width + j];
        const mean = isKnown ? own : 0.5 * (own + this.#means[other * width + j]);
        let value = mean + (isKnown ? 0.5 : 0.7) * random.normal();
        for (let f = 0; f < 8; f++) value += 0.4 * this.#mixing[j * 8 + f] * factors[f];
        headInput[row * width + j] = Math.max(0, value);
      }
      for (let k = 0; k < classes; k++) {
        let sum = this.bias[k];
        for (let j = 0; j < width; j++) sum += this.weight[k * width + j] * headInput[row * width + j];
        logits[row * classes + k] = sum;
      }
      for (const [tap, values] of taps) {
        const own = values.length / count;
        for (let j = 0; j < own; j++)
          values[row * own + j] = (isKnown ? 0 : 0.3) + factors[j % 8] * 0.6 + random.normal() + tap.length;
      }
    }
    return { count, logits, headInput, labels, taps };
  }
}

/** Made features as methods are fitted on them. */
export function trainingOf(
  { weight, bias }: Pick<Network, 'weight' | 'bias'>,
  { count, logits, headInput, labels, taps }: MadeFeatures,
): TrainingFeatures {
  const [classes, width] = [logits.length / count, headInput.length / count];
  return {
    count,
    classes,
    width,
    head: { weight, bias },
    labels,
    logits: (start, rows) => logits.subarray(start * classes, (start + rows) * classes),
    headInput: (start, rows) => headInput.subarray(start * width, (start + rows) * width),
    layers: {
      widths: new Map([...taps].map(([tap, values]) => [tap, values.length / count])),
      read: (tap) => taps.get(tap)!,
    },
  };
}
