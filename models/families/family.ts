import type { Activation, Network, Value } from '../network.ts';
import {
  buildDenseNet,
  type DenseNetNames,
  type DenseNetRules,
  type DenseNetSize,
  readDenseNet,
} from '../structures/densenet-structure.ts';
import type { Shapes } from '../structures/layers.ts';
import {
  buildResidual,
  type ResidualNames,
  type ResidualRules,
  type ResidualSize,
  readResidual,
} from '../structures/residual-structure.ts';
import {
  buildVgg,
  readVgg,
  type VggNames,
  type VggRules,
  type VggSize,
} from '../structures/vgg-structure.ts';
import { describeDenseNet, describeResidual, describeVgg } from './assumptions.ts';
import type { Evidence } from './evidence.ts';
import type { FamilyInput } from './inputs.ts';

/** A published family of checkpoints: whose code the weights are for, and what that code computes with them. */
export interface PublishedFamily {
  /** Whose code: `torchvision`. */
  readonly name: string;
  /**
   * What these keys and shapes are by that code, where they could be its.
   *
   * @throws UsageError where they are, and it computes what is not built here
   */
  readonly read: (shapes: Shapes, evidence: Evidence) => Reading | undefined;
  /**
   * False where such files are not published in this form, so that without `--arch` it is no candidate: a variant
   * that always comes with a configuration, and there is none or it says otherwise.
   */
  readonly isPublishedAs?: (evidence: Evidence) => boolean;
  /** What the file shows of its origin beside keys and shapes: decides where another family computes otherwise. */
  readonly comesAs?: (evidence: Evidence, reading: Reading) => boolean;
  readonly input: (reading: Reading, evidence: Evidence) => FamilyInput | undefined;
  /** Keys of weights that its networks hold and do not compute with. */
  readonly unused?: RegExp;
}

/** A network of a family, as its shapes describe it. */
export interface Reading {
  /** What the family's code calls it: `resnet50`. */
  readonly architecture: string;
  readonly classes: number;
  readonly activation: Activation;
  /** What keys and shapes do not show. */
  readonly assumptions: readonly string[];
  readonly build: (network: Network, image: Value) => void;
}

type Descriptor<Names, Size, Rules> = Omit<PublishedFamily, 'read'> & {
  readonly names: Names;
  /** What is not shown by shapes; undefined where this family has no such network. */
  readonly rules: (size: Size, evidence: Evidence) => Rules | undefined;
  readonly architecture: (size: Size, evidence: Evidence) => string;
  /** @throws UsageError where it is none that is built here */
  readonly activation?: (evidence: Evidence) => Activation;
};

export function residualFamily(
  descriptor: Descriptor<ResidualNames, ResidualSize, ResidualRules>,
): PublishedFamily {
  return family(descriptor, readResidual, buildResidual, describeResidual, (size) => size.classes);
}

export function denseNetFamily(
  descriptor: Descriptor<DenseNetNames, DenseNetSize, DenseNetRules>,
): PublishedFamily {
  return family(descriptor, readDenseNet, buildDenseNet, describeDenseNet, (size) => size.classes);
}

export function vggFamily(descriptor: Descriptor<VggNames, VggSize, VggRules>): PublishedFamily {
  const classes = ({ head }: VggSize) => (head.at(-1) as { features: number }).features;
  return family(descriptor, readVgg, buildVgg, describeVgg, classes);
}

function family<Names, Size, Rules>(
  { names, rules, architecture, activation, ...rest }: Descriptor<Names, Size, Rules>,
  readSize: (shapes: Shapes, names: Names) => Size | undefined,
  build: (network: Network, image: Value, size: Size, names: Names, rules: Rules) => void,
  describe: (size: Size, rules: Rules) => readonly string[],
  classesOf: (size: Size) => number,
): PublishedFamily {
  return {
    ...rest,
    read(shapes, evidence) {
      const size = readSize(shapes, names);
      const ruled = size && rules(size, evidence);
      if (!ruled) return undefined;
      const activated = activation ? activation(evidence) : 'relu';
      return {
        architecture: architecture(size, evidence),
        classes: classesOf(size),
        activation: activated,
        assumptions: [`activation ${activated}`, ...describe(size, ruled)],
        build: (network, image) => build(network, image, size, names, ruled),
      };
    },
  };
}
