import { GraphBuilder } from '../graph/builder.ts';
import { ElementType, type ModelProto } from '../graph/onnx.ts';
import type { LayerDetectors } from './layer-detectors.ts';

/**
 * Detectors and the paper's aggregation, the maximum of their scores as they are, as one ONNX model.
 *
 * Inputs: the pooled value of each tap, float32 `[batch, width]`, by its name. Outputs: `layer_scores` `[batch, detectors]`,
 * `ood_score` `[batch]`, their maximum, and `ood_layer` `[batch]` int64, the detector that has it, the first on ties.
 *
 * @param widths channels of each tap, by its name
 * @param metadata of the model
 */
export function maximumModel(
  detectors: LayerDetectors,
  widths: ReadonlyMap<string, number>,
  metadata: Readonly<Record<string, string>> = {},
): ModelProto {
  const graph = new GraphBuilder('la_ood_detectors');
  for (const [tap, width] of widths) graph.input(tap, ElementType.float, ['batch', width]);
  const count = detectors.groups.length;
  detectors.addScores(graph, [...detectors.groups.keys()], 'layer_scores');
  graph.int64s('layer_axis', [1]);
  graph.node('ReduceMax', ['layer_scores', 'layer_axis'], { name: 'ood_score', attributes: { keepdims: 0 } });
  graph.node('ArgMax', ['layer_scores'], { name: 'ood_layer', attributes: { axis: 1, keepdims: 0 } });
  graph.output('layer_scores', ElementType.float, ['batch', count]);
  graph.output('ood_score', ElementType.float, ['batch']);
  graph.output('ood_layer', ElementType.int64, ['batch']);
  return graph.build({ metadata });
}
