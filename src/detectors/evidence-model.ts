import type { Tensor } from '../common/tensor.ts';
import { GraphBuilder } from '../graph/builder.ts';
import { NodeScope } from '../graph/node-scope.ts';
import { ElementType, type ModelProto } from '../graph/onnx.ts';
import type { DetectorPanel } from './detector-panel.ts';
import type { ClassMoments, EvidenceScale } from './evidence.ts';
import { addEnergy } from './methods/operators.ts';
import { addAlarm } from './voices.ts';

/** What an evidence model takes: pooled taps, and the logits. */
export interface EvidenceInputs {
  /** Channels of each tap, by its name. */
  readonly widths: ReadonlyMap<string, number>;
  readonly logits: string;
  readonly classes: number;
}

/**
 * Detectors of all layers and the energy of the logits as one ONNX model, with the outputs of every scorer:
 * `layer_scores` `[batch, groups]`, `ood_score` `[batch]`, `ood_layer` `[batch]` int64.
 *
 * Layer scores are the detectors', standardised by what is usual for the predicted class, and so is the energy (Liu et al.
 * 2020); the score is how alarmed the voices are that hear both (`alarmOf`). What the layers know of an image and what the
 * classifier does are nearly independent on InD images.
 *
 * Without a scale, the outputs are `layer_scores`, the detectors' as they are, and `energy` `[batch, 1]`.
 */
export function evidenceModel(
  detectors: DetectorPanel,
  { widths, logits, classes }: EvidenceInputs,
  scale?: EvidenceScale,
): ModelProto {
  const graph = new GraphBuilder('la_ood_evidence');
  for (const [tap, width] of widths) graph.input(tap, ElementType.float, ['batch', width]);
  const groups = detectors.groups.length;
  const raw = scale ? 'la_ood/detectors' : 'layer_scores';
  if (!widths.has(logits)) graph.input(logits, ElementType.float, ['batch', classes]);
  detectors.addScores(graph, [...detectors.groups.keys()], raw);
  graph.output('layer_scores', ElementType.float, ['batch', groups]);
  if (scale) {
    addEvidence(graph, raw, { logits, classes }, scale, 'ood_score');
    graph.output('ood_score', ElementType.float, ['batch']);
    graph.output('ood_layer', ElementType.int64, ['batch']);
  } else {
    const energy = addEnergy(new NodeScope(graph, 'la_ood'), logits);
    graph.node('Identity', [energy], { name: 'energy' });
    graph.output('energy', ElementType.float, ['batch', 1]);
  }
  return graph.build();
}

/** Adds `layer_scores`, `ood_layer` and the score, under a name, of detectors' scores as they are and of logits. */
export function addEvidence(
  graph: GraphBuilder,
  raw: string,
  { logits, classes }: Pick<EvidenceInputs, 'logits' | 'classes'>,
  { layers, voices, energy }: EvidenceScale,
  score: string,
): void {
  const node = (opType: string, inputs: string[], name: string, attributes = {}) =>
    graph.node(opType, inputs, { name: `la_ood/${name}`, attributes });
  const floats = (name: string, shape: number[], data: ArrayLike<number>) =>
    graph.initializer(`la_ood/${name}`, { dtype: 'float32', shape, data: Float32Array.from(data) } as Tensor);

  const predicted = node('ArgMax', [logits], 'predicted', { axis: 1, keepdims: 0 });
  /** Values standardised by what is usual for the predicted class. */
  const standardised = (value: string, { mean, deviation }: ClassMoments, word: string, name: string) => {
    const ofClass = (what: string, table: Float64Array) => {
      const rows = floats(`${word}_${what}_table`, [classes, table.length / classes], table);
      return node('Gather', [rows, predicted], `${word}_${what}`, { axis: 0 });
    };
    const centred = node('Sub', [value, ofClass('mean', mean)], `${word}_centred`);
    return graph.node('Div', [centred, ofClass('deviation', deviation)], { name });
  };
  standardised(raw, layers, 'layers', 'layer_scores');
  graph.node('ArgMax', ['layer_scores'], { name: 'ood_layer', attributes: { axis: 1, keepdims: 0 } });

  const freeEnergy = addEnergy(new NodeScope(graph, 'la_ood'), logits);
  const heard = {
    raw,
    standardised: 'layer_scores',
    energy: standardised(freeEnergy, energy, 'energy', 'la_ood/energy_standardised'),
  };
  const alarm = addAlarm(graph, heard, voices, 'la_ood/voices');
  graph.node('Reshape', [alarm, graph.int64s('la_ood/flat', [-1])], { name: score });
}
