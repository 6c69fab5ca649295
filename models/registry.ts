import { advice, CheckpointError, option, UsageError } from '../src/common/errors.ts';
import { nearestName } from '../src/common/suggest.ts';
import type { StateDict } from '../src/common/tensor.ts';
import type { Architecture } from './architecture.ts';
import { originals } from './families/original.ts';
import { classCount, countMisfits, describeMisfits, shapesOf } from './weights.ts';

/** The names worth listing; DenseNets of other sizes have names too (see `densenet.ts`). */
export const architectureNames: readonly string[] = originals.flatMap(({ names }) => names);

/**
 * @throws UsageError where no architecture has this name
 *
 * @example
 * ```ts
 * import { architectureNamed, architectureNames } from 'la-ood/checkpoints';
 *
 * console.log(architectureNames, architectureNamed('vgg16').name);
 * ```
 */
export function architectureNamed(name: string): Architecture {
  for (const family of originals) {
    const architecture = family.named(name);
    if (architecture) return architecture;
  }
  const nearest = nearestName(name, architectureNames);
  throw new UsageError(
    `architecture ${name}`,
    'unknown',
    nearest ? `did you mean ${nearest}?` : `known are ${architectureNames.join(', ')}`,
  );
}

/**
 * Finds the architecture whose keys and shapes a state dict has.
 * @param where how the error names the weights: the checkpoint's path
 * @throws CheckpointError naming the architectures that come nearest, and what does not fit them
 *
 * @example
 * ```ts
 * import { readCheckpoint, recognizeArchitecture } from 'la-ood/checkpoints';
 *
 * const { stateDict } = await readCheckpoint('resnet20.th');
 * const { architecture, classes } = recognizeArchitecture(stateDict, 'resnet20.th');
 * console.log(architecture.name, classes); // resnet20 10
 * ```
 */
export function recognizeArchitecture(
  weights: StateDict,
  where = 'weights',
): { architecture: Architecture; classes: number } {
  const shapes = shapesOf(weights);
  const pointedTo = originals.flatMap((family) => family.recognize(shapes) ?? []);
  const expectedOf = (architecture: Architecture) =>
    architecture.parameters(classCount(architecture, weights) ?? 1);

  for (const name of pointedTo) {
    const architecture = architectureNamed(name);
    if (countMisfits(expectedOf(architecture), shapes) === 0)
      return { architecture, classes: classCount(architecture, weights)! };
  }

  const nearest = [...new Set([...pointedTo, ...architectureNames])]
    .map((name) => architectureNamed(name))
    .map((architecture) => ({ architecture, misfits: countMisfits(expectedOf(architecture), shapes) }))
    .sort((a, b) => a.misfits - b.misfits)
    .slice(0, 2);
  const reasons = nearest.map(
    ({ architecture }) =>
      `${architecture.name} (${describeMisfits(expectedOf(architecture), shapes).join('; ')})`,
  );
  throw new CheckpointError(
    where,
    `its ${weights.size} keys fit no known architecture; the nearest are ${reasons.join(' and ')}`,
    advice`name another with ${option('arch')}, or export the network to ONNX yourself`,
  );
}
