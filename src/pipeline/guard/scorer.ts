import { type Evidence, fitEvidenceScale } from '../../detectors/evidence.ts';
import { evidenceModel } from '../../detectors/evidence-model.ts';
import { maximumModel } from '../../detectors/maximum-model.ts';
import type { ModelProto } from '../../graph/onnx.ts';
import type { FittedLayers } from './fitted-layers.ts';

/** How layer scores become one: see `evidenceModel` and `maximumModel`. */
export const aggregations = ['evidence', 'max'] as const;
export type Aggregation = (typeof aggregations)[number];

/** A graph from pooled features to `layer_scores`, `ood_score` and `ood_layer`. */
export interface Scorer {
  readonly model: ModelProto;
  /** Its inputs. */
  readonly taps: readonly string[];
  /** What each column of `layer_scores` watches. */
  readonly layers: readonly string[];
}

/**
 * The scorer of detectors under an aggregation.
 *
 * @param heldOut what the detectors say of InD images that the backbone was not trained on
 * @param rows those of them that the scale of `evidence` is fitted on
 */
export function scorerOf(
  aggregation: Aggregation,
  { detectors, inputs }: FittedLayers,
  heldOut: Evidence,
  rows: Uint32Array,
): Scorer {
  const { widths, logits, classes } = inputs;
  const taps = [...widths.keys()];
  if (aggregation === 'max') return { model: maximumModel(detectors, widths), taps, layers: detectors.names };
  const model = evidenceModel(detectors, inputs, fitEvidenceScale(heldOut, classes, rows));
  return { model, taps: [...new Set([...taps, logits])], layers: detectors.names };
}
