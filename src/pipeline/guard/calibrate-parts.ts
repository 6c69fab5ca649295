import { openFeatures } from '../../../converters/hdf5/features.ts';
import type { OnProgress } from '../../common/progress.ts';
import { componentsModel, PROJECTIONS } from '../../detectors/guard/answers-model.ts';
import {
  type Answers,
  answersOf,
  type Combination,
  type Components,
  fitCombination,
} from '../../detectors/guard/combination.ts';
import type { DeviceName } from '../../runtime/device.ts';
import { GraphSession } from '../../runtime/graph-session.ts';
import { setName } from '../features/feature-files.ts';
import { inputWidths, layersOf, runOnFeatures } from '../features/feature-rows.ts';
import type { FittedParts } from './guard-parts.ts';

/** What calibration images set: how components are combined, and what they score themselves. */
export interface CalibratedParts {
  readonly combination: Combination;
  readonly answers: Answers;
}

/** Scales and ranks a guard's parts by calibration images, which fitted none of them. */
export function calibrateParts(components: Components): CalibratedParts {
  const combination = fitCombination(components);
  return { combination, answers: answersOf(components, combination) };
}

/**
 * What a guard's parts say of the images of a feature file.
 *
 * @param backbone SHA-256 of the backbone that the features must be of
 */
export async function componentsOf(
  { parts, inputs }: FittedParts,
  path: string,
  backbone: string,
  { device, onProgress }: { readonly device?: DeviceName; readonly onProgress?: OnProgress } = {},
): Promise<Components> {
  const model = componentsModel(parts, inputs);
  const session = await GraphSession.open(model, { device });
  const features = await openFeatures(path);
  try {
    const layers = layersOf(
      features,
      model.graph.input.map(({ name }) => name),
      path,
      backbone,
      inputWidths(model),
    );
    const { count } = features;
    const names = parts.content.map(({ name }) => name);
    const content = names.map(() => new Float32Array(count));
    const along = parts.conditions?.sides.length ?? 0;
    const directions = Array.from({ length: along }, () => new Float32Array(count));
    const progress = { task: `score ${setName(path)}`, onProgress };
    const wanted = [...names, ...(along ? [PROJECTIONS] : [])];
    for await (const { start, rows, outputs } of runOnFeatures(session, features, layers, wanted, progress)) {
      names.forEach((name, part) => {
        content[part].set(outputs[name].data as Float32Array, start);
      });
      for (let i = 0; i < rows; i++)
        for (let d = 0; d < along; d++)
          directions[d][start + i] = Number(outputs[PROJECTIONS].data[i * along + d]);
    }
    return { count, content, directions };
  } finally {
    features.close();
    await session.close();
  }
}
