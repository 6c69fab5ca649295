import { openFeatures } from '../../../converters/hdf5/open-features.ts';
import { advice, DetectorError, option } from '../../common/errors.ts';
import type { OnProgress } from '../../common/progress.ts';
import type { FittedMethod, Method } from '../../detectors/methods/method.ts';
import type { MethodsInputs } from '../../detectors/methods/methods-model.ts';
import { GraphBuilder } from '../../graph/builder.ts';
import { NodeScope } from '../../graph/node-scope.ts';
import { ElementType, type ModelProto } from '../../graph/onnx.ts';
import { withUsedInputs } from '../../graph/rewrite.ts';
import type { FeatureGraph } from '../features/feature-graph.ts';
import { fitOnFeatures } from '../methods/fit-on-features.ts';
import type { FittedGuard } from './fitted-guard.ts';

/**
 * Fits a guard whose score is that of one published method.
 *
 * @param train features of training images
 * @param backbone SHA-256 of the backbone that they must be of
 * @throws DetectorError where the method cannot be had here; RunError where features are of another backbone
 */
export async function fitMethodGuard(
  method: Method,
  graph: FeatureGraph,
  train: string,
  backbone: string,
  onProgress?: OnProgress,
): Promise<FittedGuard> {
  const features = await openFeatures(train);
  try {
    const { fitted, refused, inputs, labels } = await fitOnFeatures(
      [method],
      graph,
      features,
      backbone,
      onProgress,
    );
    if (refused.length > 0)
      throw new DetectorError(method.name, refused[0].reason, advice`take another ${option('detector')}`);
    const [{ notes = [] }] = fitted;
    const model = methodModel(method.name, fitted[0], inputs);
    return {
      description: { kind: 'method', detector: method.name, labels },
      notes: notes.map((note) => `${method.title}: ${note}`),
      components: model,
      calibrate(known) {
        const scoresOf = (outputs: typeof known) => ({ ood: outputs.get('ood_score')! });
        return { model, known: scoresOf(known), scoresOf };
      },
    };
  } finally {
    features.close();
  }
}

/** A method as a guard's graph: `ood_score` `[batch]`, and `component_scores` `[batch, 1]`, the same. */
function methodModel(
  name: string,
  fitted: FittedMethod,
  { logits, headInput }: Pick<MethodsInputs, 'logits' | 'headInput'>,
): ModelProto {
  const graph = new GraphBuilder('la_ood_method');
  for (const [input, width] of [logits, ...(headInput ? [headInput] : [])])
    graph.input(input, ElementType.float, ['batch', width]);
  const nodes = new NodeScope(graph, `la_ood/${name}`);
  const score = fitted.addScore(nodes, { logits: logits[0], headInput: headInput?.[0] ?? '' });
  graph.node('Reshape', [score, graph.int64s('la_ood/method/row', [-1])], { name: 'ood_score' });
  graph.node('Reshape', [score, graph.int64s('la_ood/method/column', [-1, 1])], { name: 'component_scores' });
  graph.output('ood_score', ElementType.float, ['batch']);
  graph.output('component_scores', ElementType.float, ['batch', 1]);
  return withUsedInputs(graph.build());
}
