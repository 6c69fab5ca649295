import { GraphBuilder } from '../graph/builder.ts';
import { ElementType, type ModelProto, type TensorProto } from '../graph/onnx.ts';
import type { LayerDetectors } from './layer-detectors.ts';
import { type Moments, moments } from './moments.ts';

/** How the scores of layers become one: their mean, each standardised by calibration images, or the paper's maximum of them as they are. */
export const aggregations = ['mean', 'max'] as const;
export type Aggregation = (typeof aggregations)[number];

/** An aggregation, and what it standardises by: of each detector's score, what is usual among calibration images. */
export type LayerAggregation =
  | { readonly kind: 'max' }
  | { readonly kind: 'mean'; readonly usual: readonly Moments[] };

/** The paper's. */
export const maximum: LayerAggregation = { kind: 'max' };

/** @param scores of calibration images, n × detectors, row-major */
export function fitAggregation(kind: Aggregation, scores: Float32Array, detectors: number): LayerAggregation {
  if (kind === 'max') return maximum;
  const count = scores.length / detectors;
  const column = (d: number) => Array.from({ length: count }, (_, row) => scores[row * detectors + d]);
  return { kind, usual: Array.from({ length: detectors }, (_, d) => moments(column(d))) };
}

/**
 * One score for each image, by the first so many detectors.
 *
 * @param scores n × detectors, row-major
 */
export function aggregate(
  scores: Float32Array,
  detectors: number,
  aggregation: LayerAggregation,
  first = detectors,
): Float32Array {
  return Float32Array.from({ length: scores.length / detectors }, (_, row) => {
    const own = scores.subarray(row * detectors, row * detectors + first);
    if (aggregation.kind === 'max') return own.reduce((most, score) => Math.max(most, score));
    const { usual } = aggregation;
    return own.reduce((sum, score, d) => sum + (score - usual[d].mean) / usual[d].deviation, 0) / first;
  });
}

/** The names of what an aggregation yields. */
export interface AggregatedValues {
  /** `[batch, detectors]`: scores as the aggregation compares them. */
  readonly layerScores: string;
  /** `[batch]`. */
  readonly score: string;
  /** `[batch]` int64: the detector of the largest score, the first on ties. */
  readonly layer: string;
}

/** Adds the aggregation of the first so many detectors' scores, `[batch, detectors]`, to a graph. */
export function addAggregation(
  graph: GraphBuilder,
  scores: string,
  aggregation: LayerAggregation,
  detectors: number,
  { layerScores, score, layer }: AggregatedValues,
): void {
  if (aggregation.kind === 'mean') {
    const usual = aggregation.usual.slice(0, detectors);
    const row = (word: string, of: (usual: Moments) => number) =>
      graph.initializer(`la_ood/layers/${word}`, {
        dtype: 'float32',
        shape: [detectors],
        data: Float32Array.from(usual, of),
      });
    const means = row('means', ({ mean }) => mean);
    const centered = graph.node('Sub', [scores, means], { name: 'la_ood/layers/centred' });
    graph.node('Div', [centered, row('deviations', ({ deviation }) => deviation)], { name: layerScores });
  } else graph.node('Identity', [scores], { name: layerScores });
  const axis = graph.int64s('la_ood/layers/axis', [1]);
  const operator = aggregation.kind === 'mean' ? 'ReduceMean' : 'ReduceMax';
  graph.node(operator, [layerScores, axis], { name: score, attributes: { keepdims: 0 } });
  graph.node('ArgMax', [layerScores], { name: layer, attributes: { axis: 1, keepdims: 0 } });
}

/** The constants of `layersModel` that calibration images set, under their names: they can take the place of those in a guarded model. */
export function aggregationConstants(aggregation: LayerAggregation, detectors: number): TensorProto[] {
  const graph = new GraphBuilder('la_ood_calibration');
  graph.input(RAW_LAYER_SCORES, ElementType.float, ['batch', detectors]);
  addAggregation(graph, RAW_LAYER_SCORES, aggregation, detectors, OUTPUTS);
  return graph.build().graph.initializer;
}

/** The scores of layers as they are, `[batch, detectors]`, in the graphs here. */
export const RAW_LAYER_SCORES = 'la_ood/layers/scores';

/** The outputs of `layersModel`. */
const OUTPUTS: AggregatedValues = { layerScores: 'layer_scores', score: 'ood_score', layer: 'ood_layer' };

/**
 * Detectors of all layers and an aggregation as one ONNX model.
 *
 * Inputs: the pooled value of each tap, float32 `[batch, width]`, by its name. Outputs: `layer_scores` `[batch, detectors]`, `ood_score`
 * `[batch]`, and `ood_layer` `[batch]` int64, the detector of the largest score.
 *
 * @param widths channels of each tap, by its name
 * @param metadata of the model
 */
export function layersModel(
  detectors: LayerDetectors,
  widths: ReadonlyMap<string, number>,
  aggregation: LayerAggregation = maximum,
  metadata: Readonly<Record<string, string>> = {},
): ModelProto {
  const graph = new GraphBuilder('la_ood_detectors');
  for (const [tap, width] of widths) graph.input(tap, ElementType.float, ['batch', width]);
  const count = detectors.groups.length;
  detectors.addScores(graph, [...detectors.groups.keys()], RAW_LAYER_SCORES);
  addAggregation(graph, RAW_LAYER_SCORES, aggregation, count, OUTPUTS);
  graph.output('layer_scores', ElementType.float, ['batch', count]);
  graph.output('ood_score', ElementType.float, ['batch']);
  graph.output('ood_layer', ElementType.int64, ['batch']);
  return graph.build({ metadata });
}
