import { type Evidence, fitEvidenceScale } from '../../detectors/evidence.ts';
import { evidenceModel } from '../../detectors/evidence-model.ts';
import { maximumModel } from '../../detectors/maximum-model.ts';
import type { ModelProto } from '../../graph/onnx.ts';
import type { FittedLayers } from './fitted-layers.ts';

/** How layer scores become one: see `evidenceModel` and `maximumModel`. */
export const aggregations = ['evidence', 'max'] as const;
export type Aggregation = (typeof aggregations)[number];

/** A graph from pooled features to `ood_score` and what explains it. */
export interface Scorer {
  readonly model: ModelProto;
  /** Its inputs. */
  readonly taps: readonly string[];
  /** Its outputs, `ood_score` first. */
  readonly outputs: readonly string[];
}

/** A scorer by detectors of layers: it yields `layer_scores` and `ood_layer`. */
export interface LayerScorer extends Scorer {
  /** What each column of `layer_scores` watches. */
  readonly layers: readonly string[];
}

const LAYER_OUTPUTS = ['ood_score', 'ood_layer', 'layer_scores'];

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
): LayerScorer {
  const { widths, logits, classes } = inputs;
  const taps = [...widths.keys()];
  const common = { outputs: LAYER_OUTPUTS, layers: detectors.names };
  if (aggregation === 'max') return { ...common, model: maximumModel(detectors, widths), taps };
  const model = evidenceModel(detectors, inputs, fitEvidenceScale(heldOut, classes, rows));
  return { ...common, model, taps: [...new Set([...taps, logits])] };
}
