import type { Normalization } from '../src/graph/preprocessing.ts';
import type { Initialization } from './initial.ts';
import { Network, type Value } from './network.ts';

/** What the original and `pytorch_resnet_cifar10` train with: ImageNet's. */
export const imagenetNormalization: Normalization = {
  mean: [0.485, 0.456, 0.406],
  std: [0.229, 0.224, 0.225],
};

/** What tells one backbone from another. Everything else follows from it. */
export interface Description {
  readonly name: string;
  /** The normalisation its weights are trained with, where nobody says another. */
  readonly defaultNormalization: Normalization;
  /** Whether the logits, too, get a detector. */
  readonly detectorOnLogits: boolean;
  /** How its weights are drawn before training. */
  readonly initialization: Initialization;
  /** Runs the layers from the image to the logits. */
  forward(network: Network, image: Value, classes: number): void;
}

/**
 * A backbone for N × 3 × 32 × 32 float32 images and any number of classes.
 *
 * @example
 * ```ts
 * import { architectureNamed } from 'la-ood/checkpoints';
 *
 * const resnet = architectureNamed('resnet20');
 * console.log(resnet.parameters(10).get('linear.weight')); // its shape
 * ```
 */
export class Architecture {
  readonly name: string;
  readonly defaultNormalization: Normalization;
  readonly initialization: Initialization;
  /** Names of the values that are exposed, in execution order; the last is `logits`. */
  readonly taps: readonly string[];
  /** The taps that get a detector. */
  readonly detectorTaps: readonly string[];
  /** Module path of the last linear layer, whose output are the logits. */
  readonly head: string;
  readonly #description: Description;

  constructor(description: Description) {
    this.#description = description;
    this.name = description.name;
    this.defaultNormalization = description.defaultNormalization;
    this.initialization = description.initialization;
    const { taps, parameters } = this.network(1);
    this.taps = taps;
    this.detectorTaps = description.detectorOnLogits ? taps : taps.slice(0, -1);
    this.head = [...parameters.keys()].at(-1)!.replace(/\.bias$/, '');
  }

  /** State-dict key → shape, in PyTorch's order; BatchNorm's `num_batches_tracked` (int64 scalars) included. */
  parameters(classes: number): ReadonlyMap<string, readonly number[]> {
    return this.network(classes).parameters;
  }

  /** The graph without its weights. */
  network(classes: number): Network {
    const network = new Network(this.name);
    this.write(network, network.image(3, 32, 32), classes);
    return network;
  }

  /** Writes the layers from the image to the logits. */
  write(network: Network, image: Value, classes: number): void {
    this.#description.forward(network, image, classes);
  }
}

/** Backbones that differ in their sizes only. */
export interface Family {
  /** The names worth listing; `named` may know more. */
  readonly names: readonly string[];
  /** The architecture of this name, where it is one of this family. */
  named(name: string): Architecture | undefined;
  /** The name of the member that a state dict's shapes point to, for the caller to check key by key. */
  recognize(shapes: ReadonlyMap<string, readonly number[]>): string | undefined;
}
