import { readFile } from 'node:fs/promises';
import { RunError } from '../../common/errors.ts';
import { BACKBONE_KEY, detectorsOfModel } from '../../detectors/detectors-model.ts';
import type { LayerSvm } from '../../detectors/layer-svm.ts';
import { decodeModel } from '../../graph/read.ts';
import { getMetadata } from '../../graph/rewrite.ts';

/**
 * The detectors of a file that `fitDetectors` wrote.
 *
 * @param fittedOn the backbone that they must have been fitted on, where the file says on which: its SHA-256, and what to
 * call it in an error; any where absent
 * @throws RunError where they were fitted on another; DetectorError where the file holds none
 */
export async function readDetectors(
  path: string,
  fittedOn?: { readonly sha256: string; readonly backbone: string },
): Promise<LayerSvm[]> {
  const model = decodeModel(await readFile(path), path);
  const said = getMetadata(model)[BACKBONE_KEY];
  if (fittedOn && said !== undefined && said !== fittedOn.sha256)
    throw new RunError(
      path,
      `was fitted on another backbone than ${fittedOn.backbone}`,
      'fit the detectors again',
    );
  return detectorsOfModel(model, path);
}
