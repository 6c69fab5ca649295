import { availableParallelism } from 'node:os';
import { RandomState } from '../../common/random.ts';
import { GraphBuilder } from '../../graph/builder.ts';
import { ElementType } from '../../graph/onnx.ts';
import { encodeModel } from '../../graph/write.ts';
import * as ort from '../../runtime/onnxruntime.ts';
import type { DetectorFitter, LayerDetectors } from '../layer-detectors.ts';
import { type Moments, moments } from '../moments.ts';
import type { FittedMethod } from './method.ts';
import type { Training } from './training.ts';

/** Training images that set the scales of layers' scores. */
const SCALED = 2000;

/** Detectors by neighbours keep so many images: where there are enough, others set the scales. */
const KEPT = 1000;

/** Seed of that order. */
const SEED = 0;

/** Fits detectors of groups of layers; the score is the mean of theirs, each standardised by training images. */
export async function meanOverLayers(
  training: Training,
  fitDetectors: DetectorFitter,
): Promise<FittedMethod> {
  const detectors = await fitDetectors(training.groups(), availableParallelism());
  const count = detectors.groups.length;
  const scores = await scoresOf(detectors, training);
  const scales = detectors.groups.map((_, d) =>
    moments(Array.from({ length: scores.length / count }, (_, row) => scores[row * count + d])),
  );
  const row = (of: (scale: Moments) => number) => Float32Array.from(scales, of);
  return {
    addScore(nodes) {
      const layers = `${nodes.name}/layers`;
      detectors.addScores(nodes.graph, [...detectors.groups.keys()], layers);
      const means = nodes.floats(
        'means',
        [count],
        row(({ mean }) => mean),
      );
      const deviations = nodes.floats(
        'deviations',
        [count],
        row(({ deviation }) => deviation),
      );
      const centered = nodes.node('Sub', [layers, means], 'centred');
      return nodes.reduce('ReduceMean', nodes.node('Div', [centered, deviations], 'standardised'), 1, 'mean');
    },
  };
}

/** What detectors say of some training images: images × detectors. */
async function scoresOf(detectors: LayerDetectors, { features, count }: Training): Promise<Float32Array> {
  const order = new RandomState(SEED).permutation(count);
  // The first of this order are those that neighbours are kept of.
  const rows = count >= KEPT + SCALED ? order.subarray(KEPT, KEPT + SCALED) : order.subarray(-SCALED);
  const graph = new GraphBuilder('layer_scores');
  const feeds: Record<string, ort.Tensor> = {};
  const { widths, read } = features.layers!;
  for (const [tap, width] of widths) {
    const all = read(tap);
    const values = new Float32Array(rows.length * width);
    rows.forEach((row, at) => {
      values.set(all.subarray(row * width, (row + 1) * width), at * width);
    });
    feeds[graph.input(tap, ElementType.float, ['batch', width])] = ort.tensor('float32', values, [
      rows.length,
      width,
    ]);
  }
  detectors.addScores(graph, [...detectors.groups.keys()], 'scores');
  graph.output('scores', ElementType.float, ['batch', detectors.groups.length]);
  const session = await ort.openSession(encodeModel(graph.build()));
  try {
    return (await session.run(feeds)).scores.data as Float32Array;
  } finally {
    await session.release();
  }
}
