import type { Tensor } from '../common/tensor.ts';
import { GraphBuilder } from '../graph/builder.ts';
import { NodeScope } from '../graph/node-scope.ts';
import { ElementType, type ModelProto } from '../graph/onnx.ts';
import { withConstants } from '../graph/rewrite.ts';
import { tensorToProto } from '../graph/tensor-proto.ts';
import { CALIBRATION } from './calibration-name.ts';

/** Name of the optional input that scores are compared with. */
const THRESHOLD = 'threshold';

/** The largest float32. */
const FLOAT_MAX = 3.4028234663852886e38;

/**
 * The decision as an ONNX model. Inputs: `ood_score` `[batch]`, the logits, and the optional `threshold`, a scalar.
 * Outputs: `label` `[batch]` int64, the predicted class, −1 where the
 * logits are no numbers; `p_value` `[batch]`, the share of InD images that are at least
 * as suspicious, (1 + #)/(n + 1); `is_ood` `[batch]` bool, whether the score exceeds the threshold. A score that is no
 * number is the most suspicious of all.
 *
 * Operators mean the same in every opset from 9 on.
 *
 * @param calibration the n scores of InD calibration images
 * @param threshold what `threshold` is where it is not given
 */
export function decisionModel(
  logits: string,
  classes: number,
  calibration: Float32Array,
  threshold: number,
): ModelProto {
  const graph = new GraphBuilder('la_ood_decision');
  const count = calibration.length;
  const nodes = new NodeScope(graph, 'la_ood');
  graph.input('ood_score', ElementType.float, ['batch']);
  graph.input(logits, ElementType.float, ['batch', classes]);
  graph.optionalInput(THRESHOLD, { dtype: 'float32', shape: [], data: Float32Array.of(threshold) });

  const largest = nodes.node('ArgMax', [logits], 'largest', { axis: 1, keepdims: 0 });
  const first = nodes.node('Gather', [logits, nodes.int64('first', 0)], 'of_first_class', { axis: 1 });
  const noClass = nodes.int64('no_class', -1);
  graph.node('Where', [nodes.node('IsNaN', [first], 'has_no_class'), noClass, largest], { name: 'label' });
  const worst = nodes.floats('worst', [], [FLOAT_MAX]);
  const score = nodes.node(
    'Where',
    [nodes.node('IsNaN', ['ood_score'], 'is_nan'), worst, 'ood_score'],
    'score',
  );
  const column = nodes.node('Reshape', [score, nodes.int64s('column', [-1, 1])], 'score_column');
  const known = graph.initializer(CALIBRATION, { dtype: 'float32', shape: [1, count], data: calibration });
  const isLess = nodes.node('Less', [known, column], 'is_less');
  const asNumbers = nodes.node('Cast', [isLess], 'less', { to: ElementType.float });
  const less = nodes.node(
    'MatMul',
    [asNumbers, nodes.floats('ones', [count, 1], new Float32Array(count).fill(1))],
    'below',
  );
  const atLeast = nodes.node('Sub', [nodes.floats('all', [], [count + 1]), less], 'at_least');
  const share = nodes.node('Div', [atLeast, nodes.floats('of', [], [count + 1])], 'share');
  graph.node('Reshape', [share, nodes.int64s('row', [-1])], { name: 'p_value' });
  graph.node('Greater', [score, THRESHOLD], { name: 'is_ood' });

  graph.output('label', ElementType.int64, ['batch']);
  graph.output('p_value', ElementType.float, ['batch']);
  graph.output('is_ood', ElementType.bool, ['batch']);
  return graph.build();
}

/** A guarded model whose threshold is another where none is given: onnxruntime-node takes no optional inputs. */
export function withThreshold(model: ModelProto, threshold: number, where = 'the guard'): ModelProto {
  const value: Tensor = { dtype: 'float32', shape: [], data: Float32Array.of(threshold) };
  return withConstants(model, [tensorToProto(THRESHOLD, value)], where);
}
