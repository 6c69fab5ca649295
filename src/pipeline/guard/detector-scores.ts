import { DetectorError } from '../../common/errors.ts';
import type { Tensor } from '../../common/tensor.ts';
import { detectorsOfModel } from '../../detectors/detectors-model.ts';
import type { LayerSvm } from '../../detectors/layer-svm.ts';
import type { ModelProto } from '../../graph/onnx.ts';
import { GraphSession } from '../../runtime/graph-session.ts';

/** A file of detectors. */
export interface DetectorsFile {
  readonly path: string;
  readonly detectors: ModelProto;
}

/**
 * The scores that two files of detectors give to the same points, by tap. Solvers list support vectors in whatever
 * order and differ in which of them are needed, so that the arrays themselves say little; what they decide does. The
 * points of a layer are the support vectors of both, which is where the decision is made.
 *
 * @throws DetectorError where a layer has another width in the other file
 */
export async function detectorScores(
  a: DetectorsFile,
  b: DetectorsFile,
): Promise<[Map<string, Float32Array>, Map<string, Float32Array>]> {
  const [first, second] = [a, b].map(({ detectors, path }) => detectorsOfModel(detectors, path));
  const points = new Map<string, Float32Array[]>();
  for (const detector of [...first, ...second]) {
    const { tap, width } = detector;
    const known = points.get(tap) ?? [];
    if (known.length && known[0].length !== width)
      throw new DetectorError(
        `${b.path}: layer ${tap}`,
        `has ${width} channels, and ${known[0].length} in ${a.path}`,
        'compare detectors of one backbone',
      );
    points.set(tap, [...known, ...supportPoints(detector)]);
  }
  return [await scoresOf(a.detectors, first, points), await scoresOf(b.detectors, second, points)];
}

/** One run for all layers: those with fewer points than the others get zeros besides. */
async function scoresOf(
  model: ModelProto,
  detectors: readonly LayerSvm[],
  points: ReadonlyMap<string, readonly Float32Array[]>,
): Promise<Map<string, Float32Array>> {
  const rows = Math.max(...detectors.map(({ tap }) => points.get(tap)!.length));
  const feeds = Object.fromEntries(
    detectors.map(({ tap, width }): [string, Tensor] => {
      const data = new Float32Array(rows * width);
      points.get(tap)!.forEach((point, i) => {
        data.set(point, i * width);
      });
      return [tap, { dtype: 'float32', shape: [rows, width], data }];
    }),
  );
  const session = await GraphSession.open(model, { device: 'cpu' });
  try {
    const { layer_scores } = await session.run(feeds, ['layer_scores']);
    const all = layer_scores.data as Float32Array;
    const column = (l: number, count: number) =>
      Float32Array.from({ length: count }, (_, i) => all[i * detectors.length + l]);
    return new Map(detectors.map(({ tap }, l) => [tap, column(l, points.get(tap)!.length)]));
  } finally {
    await session.close();
  }
}

/** A detector's support vectors as the pooled features that they were. */
function supportPoints({ supportVectors, width, scaler }: LayerSvm): Float32Array[] {
  const { mean, scale } = scaler;
  return Array.from({ length: supportVectors.length / width }, (_, i) =>
    Float32Array.from({ length: width }, (_, j) => supportVectors[i * width + j] * scale[j] + mean[j]),
  );
}
