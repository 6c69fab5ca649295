import { stat } from 'node:fs/promises';
import type { Geometry } from '../../../data/image-set.ts';
import { backboneMetadata } from '../../../models/metadata.ts';
import type { Tensor } from '../../common/tensor.ts';
import type { ModelProto } from '../../graph/onnx.ts';
import { readModel } from '../../graph/read.ts';
import { getMetadata } from '../../graph/rewrite.ts';
import { checkImages } from '../../page/check-images.ts';
import type { GuardFacts } from '../../page/guard-facts.ts';
import { type Outputs, outputsOf } from '../../page/outputs.ts';
import { GraphSession } from '../../runtime/graph-session.ts';
import { calibrationScores, guardOf } from '../guard/guarded-file.ts';

/**
 * What the page is told of a guarded model: its metadata, and what it makes of made images here.
 *
 * @param name what the page calls it
 * @throws GraphError where the file is no guarded model
 */
export async function guardFacts(path: string, name: string): Promise<GuardFacts> {
  const model = await readModel(path);
  const {
    questions,
    components,
    conditions,
    layers,
    method,
    calibration,
    logits,
    classNames,
    isMultiLabel,
    size,
  } = guardOf(model, path);
  const metadata = getMetadata(model);
  const stages = metadata['la_ood.stages'];
  const expected = await runEach(model, logits, size);
  return {
    name,
    bytes: (await stat(path)).size,
    version: metadata['la_ood.guard'],
    architecture: backboneMetadata(model, path).architecture,
    classCount: expected[0].logits.length,
    classNames,
    isMultiLabel,
    method,
    // Those of version 0.1.0 that are not the paper's are `evidence`.
    isStandardised: ['mean', 'evidence'].includes(metadata['la_ood.aggregation']),
    questions,
    conditions,
    parts: components ?? layers ?? [],
    size,
    logits,
    calibration,
    scores: Array.from(calibrationScores(model, path)),
    stages: stages === undefined ? undefined : JSON.parse(stages),
    backbone: metadata['la_ood.backbone_sha256'],
    expected,
  };
}

/** The model's outputs for each check image, one image a run, as the page runs it. */
async function runEach(model: ModelProto, logits: string, { height, width }: Geometry): Promise<Outputs[]> {
  const session = await GraphSession.open(model, { device: 'cpu' });
  try {
    const rows: Outputs[] = [];
    for (const data of checkImages({ height, width })) {
      const pixels: Tensor = { dtype: 'uint8', shape: [1, height, width, 3], data };
      rows.push(outputsOf(await session.run({ pixels }), logits));
    }
    return rows;
  } finally {
    await session.close();
  }
}
