import { readFile } from 'node:fs/promises';
import { RunError } from '../../common/errors.ts';
import { BACKBONE_KEY, detectorsOfModel } from '../../detectors/detectors-model.ts';
import type { LayerDetector } from '../../detectors/layer-svm.ts';
import { decodeModel } from '../../graph/read.ts';
import { getMetadata } from '../../graph/rewrite.ts';

/**
 * The detectors of a file that `fitDetectors` wrote.
 *
 * @param sha256 of the backbone that they must have been fitted on, where the file says on which
 * @param backbone what to call it in an error
 * @throws RunError where they were fitted on another; DetectorError where the file holds none
 */
export async function readDetectors(
  path: string,
  sha256: string,
  backbone: string,
): Promise<LayerDetector[]> {
  const model = decodeModel(await readFile(path), path);
  const fittedOn = getMetadata(model)[BACKBONE_KEY];
  if (fittedOn !== undefined && fittedOn !== sha256)
    throw new RunError(path, `was fitted on another backbone than ${backbone}`, 'fit the detectors again');
  return detectorsOfModel(model, path);
}
